import { jest } from '@jest/globals';
import { WHOLE } from '../../../../lib/store/lock-machine.js';
import type { AcquireOperation, ReleaseOperation } from '../../../../lib/store/lock-operation.js';
import { NativeReply, type NativeAcquire } from '../../../../lib/store/redis/native-command.js';
import { NativeCommands } from '../../../../lib/store/redis/native-commands.js';
import type { ServerSample } from '../../../../lib/store/server-clock.js';

const MS = 1_000;
const NOW = 1_764_000_000_000_000;
const TTL = 10_000;

const acquire = (id: string): AcquireOperation => ({
  ...{ kind: 'acquire', id, units: WHOLE, capacity: WHOLE, identity: 'host:1', seal: 'seal' },
  ...{ ttl: TTL * MS, guard: 500 * MS, block: TTL * MS, wait: 0, subscribed: true },
});
const release = (id: string, more: Partial<ReleaseOperation> = {}): ReleaseOperation => ({
  ...{ kind: 'release', id, used: NOW, keep: 0, done: 0 },
  ...more,
});

describe('commands that need no script', () => {
  const server = {
    sample: { sentAt: 100, receivedAt: 101, time: NOW },
    native: { sample: (latest?: ServerSample) => latest, forgetSample: jest.fn() },
  };
  let commands: NativeCommands;
  beforeEach(() => (commands = new NativeCommands()));

  const of = (operation: AcquireOperation | ReleaseOperation, at = 102, wanted = false) =>
    commands.of('order', operation, server, at, wanted);
  /** Takes a name; the server has written the record when its clock showed `time`. */
  const take = (id: string, time = NOW + 2 * MS, at = 102) => {
    const operation = acquire(id);
    const command = of(operation, at) as NativeAcquire;
    return { command, answer: commands.answer(operation, command, new NativeReply(time), server, at + 1) };
  };

  it('take a free name, and give it back as it was written', () => {
    const { command, answer } = take('A.1');
    expect(command.record).toMatch(/^lock1 \d{16} A\.1 000010500000 \d{16} \* 1000\d{4} host:1 -$/);
    expect(answer).toMatchObject({ outcome: 'granted', first: NOW + 2 * MS });
    expect(of(release('A.1'))).toEqual({ kind: 'release', record: command.record });
    expect(of(release('A.1'))).toBeUndefined(); // a repeat is for the script
  });

  it.each([
    ['keeps the units', release('A.1', { keep: 5 })],
    ['marks the work as done', release('A.1', { done: 5 })],
  ])('do not give back what %s', (_, operation) => {
    take('A.1');
    expect(of(operation)).toBeUndefined();
  });

  it('are left out for a name that others want', () => {
    take('A.1');
    expect(of(release('A.1'), 102, true)).toBeUndefined();
    expect(of(acquire('A.2'), 102, true)).toBeUndefined();
    expect(of(acquire('A.2'))).toBeDefined();
    commands.learn('order', acquire('A.2'), {
      outcome: 'busy',
      now: NOW,
      due: NOW,
      holder: 'b',
      roused: false,
    });
    expect(of(acquire('A.3'))).toBeUndefined();
    commands.learn('order', release('A.3'), { outcome: 'released', now: NOW });
    expect(of(acquire('A.3'))).toBeDefined();
  });

  it('leave an id alone that may hold and was not answered: it is spent until it is released', () => {
    const operation = acquire('A.1');
    const command = of(operation) as NativeAcquire;
    command.unknown = true;
    commands.failed(operation, command);
    expect(commands.spent(operation)).toEqual({ outcome: 'gone', now: 0 });
    expect(commands.spent(release('A.1'))).toBeUndefined();
    expect(of(release('A.1'))).toBeUndefined();
    expect(commands.spent(operation)).toBeUndefined();
  });

  it('let an id be asked for again of which nothing was sent', () => {
    const operation = acquire('A.1');
    commands.failed(operation, of(operation));
    expect(commands.spent(operation)).toBeUndefined();
  });

  it.each([[false], [true]])(
    'say of what is given up on the way that no script asks for it (wanted: %s)',
    (wanted) => {
      const operation = acquire('A.1');
      const command = of(operation) as NativeAcquire;
      of(release('A.1'), 102, wanted);
      expect(command.givenUp).toBe(true);
      expect(commands.answer(operation, command, new NativeReply(undefined), server, 103)).toEqual({
        outcome: 'gone',
        now: 0,
      });
    },
  );

  it('forget what they knew of a clock that has stepped', () => {
    expect(take('A.1', NOW + 60_000 * MS).answer).toMatchObject({ outcome: 'gone' });
    expect(server.native.forgetSample).toHaveBeenCalledTimes(1);
    expect(of(release('A.1'))).toBeUndefined();
  });

  it('remember no record that the store has forgotten, when there are many', () => {
    for (let at = 0; at < 1_023; at += 1) take(`A.${at}`);
    server.sample = { sentAt: 20_000, receivedAt: 20_001, time: NOW + 20_000 * MS };
    take('B.1', NOW + 20_001 * MS, 20_001);
    expect(of(release('A.7'), 20_002)).toBeUndefined();
    expect(of(release('B.1'), 20_002)).toBeDefined();
    server.sample = { sentAt: 100, receivedAt: 101, time: NOW };
  });
});
