import { served } from '../measure/loops.js';
import { Waits } from '../measure/waits.js';
import { contenderOf, readModifyWrite } from './clients.js';
import type { Contention, ContentionOutcome } from './orders.js';

// Finer than Date.now, and the same in every process of the machine.
const clock = (): number => performance.timeOrigin + performance.now();

/** Every caller takes the lock again and again until the round is over. */
export async function contend(order: Contention): Promise<ContentionOutcome> {
  const { name, callers, from, to } = order;
  const contender = await contenderOf(order.entrant, order.url);
  const section = order.section === 'rmw' ? readModifyWrite(order.url, name) : async () => undefined;
  const waits = new Waits();
  const counts = Array.from({ length: callers }, () => 0);
  let sections = 0;
  const caller = async (index: number): Promise<void> => {
    for (let asked = clock(); asked < to; asked = clock()) {
      await served(contender, name, () => {
        const now = clock();
        sections += 1;
        if (now >= from) waits.add(now - asked);
        if (now >= from && now < to) counts[index] = (counts[index] ?? 0) + 1;
        return section();
      });
    }
  };
  await Promise.all(counts.map((_, index) => caller(index)));
  return { served: counts, sections, waits: waits.plain };
}

/** The bare sections one after another: how many a second. */
export async function bare(url: string, name: string, ms: number): Promise<number> {
  const section = readModifyWrite(url, name);
  const start = performance.now();
  let sections = 0;
  for (; performance.now() < start + ms; sections += 1) await section();
  return (sections * 1_000) / (performance.now() - start);
}
