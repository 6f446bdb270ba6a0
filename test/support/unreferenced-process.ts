// A process whose shutdown was broken off: it closes its locks as soon as nothing keeps it alive. OPTIONS-OF-REDIS, and
// `gone` if that is to happen only after Redis is gone.
import { createLockService } from '../../lib/locks/create-lock-service.js';

const redis = JSON.parse(process.argv[2] ?? '') as object;
let lost: () => void = () => undefined;
const gone = new Promise<void>((resolve) => (lost = resolve));
const locks = createLockService({
  redis,
  log: { warn: (text) => void (text.includes('is gone') && lost()) },
});
await locks.acquire('left', { ttl: '1m' });
await locks.acquire('left', { wait: 300 }).catch(() => undefined); // since it waits, it listens for notices
if (process.argv[3] === 'gone') {
  console.log('holds a lock');
  await gone;
}
await locks.beginShutdown();
process.once('beforeExit', () => {
  console.log('nothing keeps it alive');
  void locks.closeNow();
});
