import { SystemClock } from '../../../lib/base/clock.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { lockContract } from '../../contract/lock-contract.js';

describe('locks in memory', () => {
  const clock = new SystemClock();
  const server = new MemoryServer(clock);
  lockContract((options = {}) => {
    const store = new MemoryStore(server, newSession(), clock);
    return new LockService(store, new LockSettings(options), clock, { warn: () => undefined });
  });
});
