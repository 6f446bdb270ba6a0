// Calls a locked method many times over the store in memory, with its lock free and with its lock busy, and prints by
// how many bytes the heap has grown after the warm-up. Fails when it is a megabyte or more.
//   npm run test:heap -- [CALLS] [WARM-UP]
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LockBusyError, Locked } from '../../../lib/index.js';
import { LockTestKit, withLocks } from '../../../lib/testing/index.js';

const MOST = 1_000_000;
const [calls = 1_000_000, warmUp = 100_000] = process.argv.slice(2).map(Number);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

class Till {
  @Locked((id: number) => `till:${id}`)
  async open(id: number): Promise<number> {
    return id;
  }

  @Locked('busy', { wait: 0 })
  async openNow(): Promise<string> {
    return 'open';
  }

  @Locked('busy', { onBusy: 'skip' })
  async openIfFree(): Promise<string | undefined> {
    return 'open';
  }
}

const kit = new LockTestKit();
const till = withLocks(new Till(), kit.locks);
await kit.hold('busy');

/** What is called, a hundred at a time: a lock that is free, one that callers wait for, and one that is busy. */
const PATHS: Readonly<Record<string, () => Promise<void>>> = {
  free: async () => {
    for (let call = 0; call < 100; call += 1) await till.open(1);
  },
  'handed off': async () => {
    await Promise.all(Array.from({ length: 100 }, () => till.open(1)));
  },
  'busy, thrown': async () => {
    for (let call = 0; call < 100; call += 1)
      try {
        await till.openNow();
        throw new Error('it was free');
      } catch (error) {
        if (!(error instanceof LockBusyError)) throw error;
      }
  },
  'busy, skipped': async () => {
    for (let call = 0; call < 100; call += 1)
      if ((await till.openIfFree()) !== undefined) throw new Error('it was free');
  },
};

async function times(count: number, hundred: () => Promise<void>): Promise<void> {
  for (let call = 0; call < count; call += 100) {
    await hundred();
    await new Promise((turned) => setImmediate(turned)); // so that leases are renewed
  }
}

async function heap(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  collect();
  return process.memoryUsage().heapUsed;
}

for (const [path, call] of Object.entries(PATHS)) {
  await times(warmUp, call);
  const before = await heap();
  const began = performance.now();
  await times(calls, call);
  const ms = Math.round(performance.now() - began);
  const grown = (await heap()) - before;
  console.log(`${path}: grown by ${grown} bytes in ${calls} calls, ${ms} ms`);
  if (grown >= MOST) process.exitCode = 1;
}
await kit.close();
