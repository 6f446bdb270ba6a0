import { TurnWrite } from '../../../../lib/store/redis/turn-write.js';

describe('one write a turn', () => {
  let writes: string[][];
  let held: string[] | undefined;
  let turns: TurnWrite;

  beforeEach(() => {
    writes = [];
    held = undefined;
    turns = new TurnWrite(() => ({
      cork: () => void (held = []),
      uncork: () => {
        if (held) writes.push(held);
        held = undefined;
      },
    }));
  });

  function ask(call: string): void {
    turns.add(call.startsWith('release'));
    if (held) held.push(call);
    else writes.push([call]);
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const crowd = async (): Promise<void> => {
    for (const call of ['w', 'x', 'y', 'z']) ask(call);
    await turn();
    writes = [];
  };

  it('sends a call that is alone at once, and what else is asked in its turn in one write', async () => {
    ask('a');
    expect(writes).toEqual([['a']]);
    ask('b');
    await Promise.resolve();
    ask('c');
    expect(writes).toEqual([['a']]);
    await turn();
    expect(writes).toEqual([['a'], ['b', 'c']]);
  });

  it('holds the first call too after a turn with many', async () => {
    await crowd();
    ask('a');
    await Promise.resolve();
    ask('b');
    await turn();
    expect(writes).toEqual([['a', 'b']]);
    ask('c');
    expect(writes).toEqual([['a', 'b'], ['c']]);
  });

  it('sends releases before whoever asked for them goes on, with what was asked before them', async () => {
    await crowd();
    const release = async (name: string): Promise<void> => {
      await Promise.resolve();
      ask(`release ${name}`);
    };
    ask('a');
    await Promise.all(['b', 'c'].map(release));
    expect(writes).toEqual([['a', 'release b', 'release c']]);
    ask('d');
    await turn();
    expect(writes).toEqual([['a', 'release b', 'release c'], ['d']]);
  });

  it('sends a single release at once', async () => {
    ask('release a');
    expect(writes).toEqual([['release a']]);
    await turn();
    expect(writes).toHaveLength(1);
  });

  it('lets no more than 32 calls wait for the others', async () => {
    await crowd();
    for (let index = 0; index < 70; index += 1) ask(`a${index}`);
    expect(writes.map(({ length }) => length)).toEqual([32, 32]);
    await turn();
    expect(writes.map(({ length }) => length)).toEqual([32, 32, 6]);
  });
});
