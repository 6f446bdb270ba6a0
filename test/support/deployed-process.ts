// A process that holds a lock for longer than a deploy lets it, and shuts its locks down when it is told to end.
import { createLockService } from '../../lib/locks/create-lock-service.js';

const [, , redis, name = ''] = process.argv;
const locks = createLockService({ redis, log: { warn: () => undefined } });
process.on('SIGTERM', () => void locks.close().finally(() => process.exit()));
await locks.using(name, () => {
  console.log('granted');
  return new Promise((resolve) => setTimeout(resolve, 600_000));
});
