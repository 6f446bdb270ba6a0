import { Inspector } from '../../../lib/locks/inspector.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import type { StuckHold } from '../../../lib/store/lock-operation.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { HandClock } from '../../support/hand-clock.js';

const SECOND = 1_000_000;

describe('what operators do', () => {
  let clock: HandClock, server: MemoryServer, inspector: Inspector;
  const warnings: string[] = [];
  beforeEach(() => {
    clock = new HandClock();
    server = new MemoryServer(clock);
    warnings.length = 0;
    const log = { warn: (message: string) => void warnings.push(message) };
    inspector = new Inspector(new MemoryStore(server, newSession(), clock), log);
  });

  const acquire = (
    name: string,
    id: string,
    wait: number,
    ttl = 60 * SECOND,
    units = WHOLE,
    holding?: StuckHold[],
  ) =>
    server.apply(name, {
      ...(holding && { holding }),
      ...{ kind: 'acquire', id, units, capacity: WHOLE, ttl, guard: 0, block: 1, wait },
      ...{ subscribed: false, seal: 'seal', identity: `host:1 ${id}` },
    });

  it('does not show waiting processes that are dead, though the store has them yet', async () => {
    acquire('name', 'holder', 0);
    acquire('name', 'silent', 60 * SECOND);
    acquire('name', 'short', 10 * SECOND);
    clock.pass(14_000);
    acquire('name', 'fresh', 60 * SECOND);
    expect((await inspector.inspect('name')).queue).toMatchObject([{ label: 'silent' }, { label: 'fresh' }]);
    clock.pass(2_000);
    expect((await inspector.inspect('name')).queue).toMatchObject([{ label: 'fresh' }]);
    expect(server.read('name').state.queue).toHaveLength(3);
    for await (const report of inspector.list()) expect(report.queue).toHaveLength(1);
  });

  it('does not list a name that only dead processes hold or wait for', async () => {
    acquire('name', 'holder', 0, 10 * SECOND);
    acquire('name', 'silent', 60 * SECOND);
    clock.pass(16_000);
    expect(await inspector.inspect('name')).toMatchObject({ capacity: 0, inUse: 0, holders: [], queue: [] });
    for await (const report of inspector.list()) throw new Error(`${report.name} is listed`);
  });

  it('says what waits behind a place in the queue, and for what', async () => {
    const hold = { turn: 1, yields: false };
    acquire('name', 'holder', 0);
    acquire('name', 'free', 60 * SECOND);
    acquire('name', 'stuck', 60 * SECOND, 60 * SECOND, WHOLE, [
      { ...hold, name: 'b', id: 's.1', fence: 7, behind: -1 },
      { ...hold, name: 'c', id: 's.2', fence: 8, behind: 0 },
      { ...hold, name: 'd', id: 's.3', fence: 9, behind: 5 }, // such a place there is not
    ]);
    const { queue } = await inspector.inspect('name');
    expect(queue.map(({ label, holds }) => [label, holds])).toEqual([
      ['free', undefined],
      [
        'stuck',
        [
          { name: 'b', fence: 7, waitsFor: 'name' },
          { name: 'c', fence: 8, waitsFor: 'b' },
        ],
      ],
    ]);
  });

  it('is in the log of the one who revokes: which lock, why, who held it, and when it is free', async () => {
    expect(await inspector.revoke('name', { reason: 'nobody holds it' })).toBe(false);
    acquire('name', 'a', 0, 60 * SECOND, 1);
    acquire('name', 'b', 0, 60 * SECOND, 1);
    await inspector.revoke('name', { reason: 'stuck since noon' });
    await inspector.revoke('name', { reason: 'and now', force: true });
    expect(await inspector.revoke('name', { reason: 'once more', force: true })).toBe(false);
    expect(warnings).toEqual([
      "The lock 'name' was revoked (stuck since noon). It was held by host:1 a and 1 more. " +
        'The name is free when they give it back, or when their leases end.',
      "The lock 'name' was revoked by force (and now). It was held by host:1 a and 1 more. " +
        'The name is free now; only fences protect what they still write.',
    ]);
  });
});
