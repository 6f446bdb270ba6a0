import { cpuRate, served, times } from '../measure/loops.js';
import { Waits } from '../measure/waits.js';
import { contenderOf, readModifyWrite } from './clients.js';
import type { Contention, ContentionOutcome, HandOffs, HandOffsOutcome } from './orders.js';

// Finer than Date.now, and the same in every process of the machine.
const clock = (): number => performance.timeOrigin + performance.now();

const WARM_UP = 30_000;

/** Every caller takes the lock again and again until the round is over. */
export async function contend(order: Contention): Promise<ContentionOutcome> {
  const { name, callers, from, to } = order;
  const contender = await contenderOf(order.entrant, order.url);
  const section = order.section === 'rmw' ? readModifyWrite(order.url, name) : async () => undefined;
  const waits = new Waits();
  const counts = Array.from({ length: callers }, () => 0);
  let sections = 0;
  let cpu: { at: NodeJS.CpuUsage; sections: number } | undefined;
  const caller = async (index: number): Promise<void> => {
    for (let asked = clock(); asked < to; asked = clock()) {
      await served(contender, name, () => {
        const now = clock();
        sections += 1;
        if (now >= from) cpu ??= { at: process.cpuUsage(), sections };
        if (now >= from) waits.add(now - asked);
        if (now >= from && now < to) counts[index] = (counts[index] ?? 0) + 1;
        return section();
      });
    }
  };
  await Promise.all(counts.map((_, index) => caller(index)));
  const used = process.cpuUsage(cpu?.at);
  const client = (used.user + used.system) / (sections - (cpu?.sections ?? 0));
  return { served: counts, sections, client, waits: waits.plain };
}

/** Hand-offs from caller to caller of this process: how many a second, and in a second of its processor time. */
export async function handOffs({ entrant, url, callers, count }: HandOffs): Promise<HandOffsOutcome> {
  const contender = await contenderOf(entrant, url);
  const once = () => served(contender, 'hot', async () => undefined);
  await times(WARM_UP, callers, once);
  const start = performance.now();
  const perCpu = await cpuRate(count, callers, once);
  return { handOffs: (count * 1_000) / (performance.now() - start), perCpu };
}

/** The bare sections one after another: how many a second. */
export async function bare(url: string, name: string, ms: number): Promise<number> {
  const section = readModifyWrite(url, name);
  const start = performance.now();
  let sections = 0;
  for (; performance.now() < start + ms; sections += 1) await section();
  return (sections * 1_000) / (performance.now() - start);
}
