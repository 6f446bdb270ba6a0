import { SystemClock } from '../../../lib/base/clock.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { kindsContract } from '../../contract/kinds-contract.js';

describe('kinds of locks in memory', () => {
  const clock = new SystemClock();
  const server = new MemoryServer(clock);
  kindsContract(({ log = { warn: () => undefined }, ...options } = {}) => {
    const store = new MemoryStore(server, newSession(), clock);
    return LockService.over(store, new LockSettings(options), clock, log);
  });
});

describe('a LockService', () => {
  it('forgets a leader that has stopped', async () => {
    const locks = createLockService({ redis: 'memory' });
    const { leaders } = locks as unknown as { leaders: ReadonlySet<unknown> };
    const leader = locks.lead('forgotten', { onElected: () => Promise.resolve() });
    expect(leaders.size).toBe(1);
    await leader.stop();
    expect(leaders.size).toBe(0);
    await locks.close();
  });
});
