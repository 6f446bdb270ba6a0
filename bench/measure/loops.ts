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

/** Runs `step` so many times in `lanes` lanes. */
export async function times(
  count: number,
  lanes: number,
  step: (lane: number) => Promise<unknown>,
): Promise<void> {
  let left = count;
  const lane = async (index: number): Promise<void> => {
    while (left-- > 0) await step(index);
  };
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
}

/**
 * How often in a second of processor time `step` runs in `lanes` lanes, which does not depend on what else
 * the machine does. For work that waits for nothing outside this process.
 */
export async function cpuRate(count: number, lanes: number, step: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await times(count, lanes, step);
  const { user, system } = process.cpuUsage(before);
  return (count * 1e6) / (user + system);
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
