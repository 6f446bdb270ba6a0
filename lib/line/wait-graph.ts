/** Who waits for whom, as far as one walk has seen it; see deadlock-watch.ts. */
import type { StuckHold } from '../store/lock-operation.js';

/** An exclusive hold whose holder waits. */
export interface Stuck extends Omit<StuckHold, 'behind'> {
  readonly waitsFor: string;
  /** `host:pid label` of the holder. */
  readonly identity: string;
  /** The place in the store's queue by which another process says so; undefined for a hold of this process. */
  readonly told?: { readonly queue: string; readonly alive: number };
}

/** A circle of holds: each waits for the name of the next one, and the last for that of the first. */
export type Cycle<S extends Stuck = Stuck> = readonly [S, ...S[]];

const MOST = 16;

/** A shortest cycle through each of `starts` that is in one. The same cycle comes once, and begins with its smallest id. */
export function cyclesIn<S extends Stuck>(stuck: readonly S[], starts: readonly S[]): readonly Cycle<S>[] {
  const byName = new Map<string, S[]>();
  for (const each of stuck) {
    const same = byName.get(each.name);
    if (same) same.push(each);
    else byName.set(each.name, [each]);
  }
  const found = new Map<string, Cycle<S>>();
  for (const start of starts) {
    if (found.size === MOST) break;
    const cycle = shortest(start, byName);
    if (cycle) found.set(keyOf(cycle), cycle);
  }
  return [...found.values()];
}

function shortest<S extends Stuck>(
  start: S,
  byName: ReadonlyMap<string, readonly S[]>,
): Cycle<S> | undefined {
  const before = new Map<S, S | undefined>([[start, undefined]]);
  for (const at of before.keys()) {
    const next = byName.get(at.waitsFor) ?? [];
    if (next.includes(start)) {
      const members: S[] = [];
      for (let one: S | undefined = at; one; one = before.get(one)) members.unshift(one);
      return fromSmallest(members);
    }
    for (const each of next) if (!before.has(each)) before.set(each, at);
  }
  return undefined;
}

function fromSmallest<S extends Stuck>(members: readonly S[]): Cycle<S> {
  const first = members.reduce(
    (least, each, place) => (each.id < (members[least]?.id ?? '') ? place : least),
    0,
  );
  return [...members.slice(first), ...members.slice(0, first)] as unknown as Cycle<S>;
}

/** The same holds, leases and waits have the same key, in every process. */
export function keyOf(cycle: Cycle): string {
  return cycle.map(({ id, fence, turn }) => `${id} ${fence} ${turn}`).join(', ');
}

/** The member that was granted its lock last, by the fence. Every process comes to the same one. */
export function lastToHold<S extends Stuck>([first, ...others]: Cycle<S>): S {
  return others.reduce((last, each) => (isLater(each, last) ? each : last), first);
}

/** Who has to give way: of those who may, the one that was granted its lock last. */
export function victimOf<S extends Stuck>(cycle: Cycle<S>): S | undefined {
  const [first, ...others] = cycle.filter(({ yields }) => yields);
  return first && lastToHold([first, ...others]);
}

function isLater(one: Stuck, other: Stuck): boolean {
  return one.fence === other.fence ? one.id > other.id : one.fence > other.fence;
}
