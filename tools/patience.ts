import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `met` is true, looking every few milliseconds; rejects with `what` when that takes too long. */
export async function until(
  what: string,
  met: () => boolean | Promise<boolean>,
  patience = 20_000,
  every = 20,
): Promise<void> {
  for (const end = performance.now() + patience; !(await met()); await sleep(every))
    if (performance.now() > end) throw new Error(`Waited in vain for ${patience} ms: ${what}`);
}
