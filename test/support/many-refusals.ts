// Asks for COUNT locks and latches at once, again whenever a line comes in, and says how many were refused:
//   node --import ./test/support/typescript.mjs test/support/many-refusals.ts COUNT URL
// Node writes its warnings to stderr.
import { createLockService } from '../../lib/locks/create-lock-service.js';

const [count = 0, url] = [Number(process.argv[2]), process.argv[3]];
const locks = createLockService({ redis: url, ttl: 900, log: { warn: () => undefined } });

async function askAll(): Promise<void> {
  const asked = Array.from({ length: count }, (_, index) =>
    index % 2 ? locks.tryAcquire(`lock:${index}`) : locks.latch(`latch:${index}`).trySetCount(1),
  );
  const outcomes = await Promise.allSettled(asked);
  console.log(`refused ${outcomes.filter(({ status }) => status === 'rejected').length}`);
}

await locks.ready();
console.log('ready');
process.stdin.on('data', () => void askAll());
process.stdin.on('end', () => void locks.close());
