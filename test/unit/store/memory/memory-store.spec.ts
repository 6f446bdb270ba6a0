import { SystemClock } from '../../../../lib/base/clock.js';
import { MemoryServer } from '../../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../../lib/store/session-id.js';
import { testStoreContract } from '../../../contract/store-contract.js';

describe('the memory store', () => {
  const clock = new SystemClock();
  const servers = new Map<number, MemoryServer>();
  testStoreContract(({ fenceMemory }) => {
    const server = servers.get(fenceMemory) ?? new MemoryServer(clock, fenceMemory);
    servers.set(fenceMemory, server);
    return Promise.resolve(new MemoryStore(server, newSession(), clock));
  });
});
