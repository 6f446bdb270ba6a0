import type { Contender } from '../contenders/contender.js';

/** Milliseconds that `work` takes. */
export async function duration(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Runs `step` again and again in `lanes` lanes for `ms`; resolves with how often a second. */
export async function rate(
  ms: number,
  lanes: number,
  step: (lane: number) => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  const end = start + ms;
  let done = 0;
  const lane = async (index: number): Promise<void> => {
    while (performance.now() < end) {
      await step(index);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
  return (done * 1_000) / (performance.now() - start);
}

/**
 * Runs `step` so many times in `lanes` lanes; resolves with how often in a second of processor time, which
 * does not depend on what else the machine does. For work that waits for nothing outside this process.
 */
export async function cpuRate(times: number, lanes: number, step: () => Promise<unknown>): Promise<number> {
  let left = times;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await step();
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: lanes }, lane));
  const { user, system } = process.cpuUsage(before);
  return (times * 1e6) / (user + system);
}

/** Under the lock at last: a peer that gives up is asked again, as a user would have to. */
export async function served(contender: Contender, name: string, work: () => Promise<void>): Promise<void> {
  let entered = false;
  for (;;) {
    try {
      return await contender.using(name, () => {
        entered = true;
        return work();
      });
    } catch (error) {
      if (entered) throw error;
    }
  }
}
