import type { Hold } from './holds.js';

/** The largest fence of the holds that began before a point of time. */
class Highest {
  private readonly starts: number[] = [];
  private readonly highest: number[] = [];

  /** `holds` in the order of their starts. */
  constructor(holds: readonly Hold[]) {
    for (const { start, fence = -Infinity } of holds) {
      this.starts.push(start);
      this.highest.push(Math.max(fence, this.highest.at(-1) ?? -Infinity));
    }
  }

  before(time: number): number {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.starts[middle] ?? Infinity) < time) low = middle + 1;
      else high = middle;
    }
    return this.highest[low - 1] ?? -Infinity;
  }
}

/**
 * Of two that cannot hold at once, who holds later has the larger fence. Two that can may have them in either order:
 * a place in the queue that one caller left is taken over by the next one of its process, with the grant that was
 * already on its way. Who goes on after a downgrade keeps the fence.
 */
export function fences(holds: readonly Hold[], capacity: number): string[] {
  const byUnits = new Map<number, Highest>();
  for (const units of new Set(holds.map((hold) => hold.units)))
    byUnits.set(units, new Highest(holds.filter((hold) => hold.units === units)));
  const byId = new Map(holds.map((hold) => [hold.id, hold]));
  const bad: string[] = [];
  for (const hold of holds) {
    const { id, name, fence, unsure, follows } = hold;
    if (fence === undefined || unsure) continue;
    if (follows !== undefined) {
      const before = byId.get(follows);
      if (before && before.fence !== fence)
        bad.push(`${name}: ${id} has the fence ${fence}, not ${before.fence} as before its downgrade`);
      continue;
    }
    let highest = -Infinity;
    for (const [units, earlier] of byUnits)
      if (units + hold.units > capacity) highest = Math.max(highest, earlier.before(hold.start));
    if (fence <= highest) bad.push(`${name}: the fence ${fence} of ${id} is not above ${highest}`);
  }
  return bad;
}
