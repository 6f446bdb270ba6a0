import { LockStoreError } from '../../../../lib/base/errors.js';
import { PendingCommand } from '../../../../lib/store/redis/pending-command.js';
import { ScriptBatch } from '../../../../lib/store/redis/script-batch.js';

describe('the batch of script calls', () => {
  const nobody = (): void => undefined;
  const host = {
    sample: undefined,
    answered: () => 0,
    refused: () => new LockStoreError(''),
    silent: () => new LockStoreError(''),
  };
  const command = new PendingCommand<unknown>(host, 'acquire', 1, 0, nobody, nobody);
  let sent: string[];
  let batch: ScriptBatch<string>;

  beforeEach(() => {
    sent = [];
    batch = new ScriptBatch<string>(
      (script, calls) => sent.push(`${script} ${calls.map(({ key }) => key).join('+')}`),
      'release',
    );
  });

  function ask(script: string, key: string): void {
    batch.add(script, { key, args: [], command, tellsFirst: false });
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('sends the first call of a turn at once and gathers the others, one call of each script', async () => {
    ask('acquire', 'a');
    expect(sent).toEqual(['acquire a']);
    ask('acquire', 'b');
    ask('release', 'c');
    ask('acquire', 'd');
    expect(sent).toEqual(['acquire a']);
    await turn();
    expect(sent).toEqual(['acquire a', 'release c', 'acquire b+d']);
    ask('acquire', 'e');
    expect(sent).toHaveLength(4);
  });

  it('gathers what microtasks of the same turn ask', async () => {
    ask('acquire', 'a');
    await Promise.resolve();
    ask('acquire', 'b');
    await Promise.resolve();
    ask('acquire', 'c');
    await turn();
    expect(sent).toEqual(['acquire a', 'acquire b+c']);
  });

  it('keeps the order of what is asked of one key', async () => {
    ask('acquire', 'first');
    ask('acquire', 'other');
    ask('release', 'same');
    ask('acquire', 'same');
    await turn();
    expect(sent.indexOf('release same')).toBeLessThan(sent.indexOf('acquire other+same'));
  });

  it('names each key once in a call', async () => {
    for (const key of ['first', 'same', 'other', 'same', 'same']) ask('acquire', key);
    await turn();
    expect(sent).toEqual(['acquire first', 'acquire same+other', 'acquire same', 'acquire same']);
  });

  it('sends no more than 32 keys with one call', async () => {
    for (let index = 0; index <= 33; index += 1) ask('renew', `k${index}`);
    await turn();
    expect(sent.map((line) => line.split('+').length)).toEqual([1, 32, 1]);
  });

  it('sends releases before whoever asked for them goes on, those of one moment in one call', async () => {
    const release = async (key: string): Promise<void> => {
      await Promise.resolve();
      ask('release', key);
    };
    ask('acquire', 'other');
    ask('acquire', 'another');
    await Promise.all(['a', 'b', 'c'].map(release));
    expect(sent).toEqual(['acquire other', 'release a+b+c']);
    await turn();
    expect(sent).toEqual(['acquire other', 'release a+b+c', 'acquire another']);
  });
});
