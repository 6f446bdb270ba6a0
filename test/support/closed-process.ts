// A process that cannot take a lock, closes, and says how many milliseconds it lived on: node closed-process.ts OPTIONS-OF-REDIS
import { createLockService } from '../../lib/locks/create-lock-service.js';

const redis = JSON.parse(process.argv[2] ?? '') as object;
const locks = createLockService({ redis, log: { warn: () => undefined } });
await locks.acquire('x', { wait: '1s' }).catch((error: Error) => console.log(error.message));
await locks.close();
const closedAt = performance.now();
process.once('exit', () => console.log(`lived on for ${Math.round(performance.now() - closedAt)} ms`));
