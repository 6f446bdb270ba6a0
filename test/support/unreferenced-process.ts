// A process whose shutdown was broken off: it closes its locks as soon as nothing keeps it alive. OPTIONS-OF-REDIS
import { createLockService } from '../../lib/locks/create-lock-service.js';

const redis = JSON.parse(process.argv[2] ?? '') as object;
const locks = createLockService({ redis, log: { warn: () => undefined } });
await locks.acquire('left', { ttl: '1m' });
await locks.acquire('left', { wait: 300 }).catch(() => undefined); // since it waits, it listens for notices
await locks.beginShutdown();
process.once('beforeExit', () => {
  console.log('nothing keeps it alive');
  void locks.closeNow();
});
