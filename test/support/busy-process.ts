// A process that serves 200 requests, 60 at a time, that all want one of a few locks, and prints how they ended:
//   node busy-process.ts URL → ready; a line on standard input starts it → {"ran":n,"LOCK_BUSY":m}
import { createInterface } from 'node:readline';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockError } from '../../lib/base/errors.js';

const REQUESTS = 200;
const AT_A_TIME = 60;
const locks = createLockService({
  redis: process.argv[2] ?? '',
  log: { warn: (text) => console.error(text) },
});
const ends: Record<string, number> = {};

/** What a request costs this process beside its lock: it makes the event loop late. */
function compute(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

async function request(index: number): Promise<void> {
  const count = (end: string): void => void (ends[end] = (ends[end] ?? 0) + 1);
  await locks
    .using(
      `stock:${index % 3}`,
      async () => {
        compute(3);
        await new Promise((resolve) => setTimeout(resolve, 10));
      },
      { wait: '500ms' },
    )
    .then(
      () => count('ran'),
      (error: LockError) => {
        count(error.code);
        if (error.code !== 'LOCK_BUSY') console.error(error.message);
      },
    );
  compute(2);
}

async function serve(): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < REQUESTS) await request(next++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  await locks.close();
  console.log(JSON.stringify(ends));
  input.close();
}

const input = createInterface({ input: process.stdin });
input.once('line', () => void serve());
await locks.ready();
console.log('ready');
