import { WHOLE } from '../../../lib/store/lock-machine.js';
import type { Fault } from './fault.js';
import { faultsOf } from './fault-plan.js';
import { Random } from './random.js';
import type { Latency } from './road.js';

export type Kind = 'mutex' | 'readWrite' | 'semaphore';

/** One caller of one process: what it asks for, and what it does with it. Milliseconds. */
export interface CallerPlan {
  readonly process: number;
  readonly name: string;
  readonly at: number;
  readonly units: number;
  readonly ttl: number;
  readonly wait: number;
  readonly renews: boolean;
  readonly maxHold: number;
  /** Aborts so long after it asked; Infinity never. */
  readonly abortAfter: number;
  readonly hold: number;
  /** Keeps the units so long after the release; 0 not. */
  readonly keep: number;
  /** The hold may stay with its process so long after the release; 0 not. */
  readonly linger: number;
  /** Renews by hand so long after the grant; Infinity never. */
  readonly renewAfter: number;
  /** Goes on with one unit so long after the grant; Infinity never. */
  readonly downgradeAfter: number;
  /** Works inside its hold that it begins right before its release, and does not await: for how long each lasts. */
  readonly entries: readonly number[];
  /** The first of them goes on with one unit. */
  readonly entryDowngrades: boolean;
  /** Hands the lease over so long after the grant, and for how long; Infinity never. */
  readonly givesAfter: number;
  readonly givesFor: number;
  /** Who tries to go on with it then, in which order ever: a queue delivers at least once. */
  readonly takers: readonly Taker[];
}

/** A process that resumes a lease so many milliseconds after it was handed over, and how long it works then. */
export interface Taker {
  readonly process: number;
  readonly after: number;
  readonly hold: number;
}

/** One history, as data: the same schedule runs the same way. */
export interface Schedule {
  readonly seed: number;
  readonly kind: Kind;
  readonly capacity: number;
  /** How much faster than the server's the clock of each process runs. */
  readonly drifts: readonly number[];
  /** The processes to which SUBSCRIBE is denied. */
  readonly deaf: readonly number[];
  readonly fenceMemory: number;
  /** Whether free names are taken, and given back, without the rules of the lock. */
  readonly native: boolean;
  readonly counted: boolean;
  readonly latency: Latency;
  readonly callers: readonly CallerPlan[];
  readonly faults: readonly Fault[];
}

export const guardOf = (ttl: number): number => Math.min(500, ttl / 4);

/** A caller who waits for ever, holds for nothing and renews; a schedule by hand says what is different. */
export const USUAL_CALLER: CallerPlan = {
  process: 0,
  name: 'a',
  at: 0,
  units: WHOLE,
  ttl: 1_000,
  wait: Infinity,
  renews: true,
  maxHold: Infinity,
  abortAfter: Infinity,
  hold: 0,
  keep: 0,
  linger: 0,
  renewAfter: Infinity,
  downgradeAfter: Infinity,
  entries: [],
  entryDowngrades: false,
  givesAfter: Infinity,
  givesFor: 1_000,
  takers: [],
};

/** The schedule that a seed stands for. */
export function scheduleOf(kind: Kind, seed: number): Schedule {
  const random = new Random(seed);
  const inside = new Random(seed ^ 0x1f3d5b79); // a stream of its own, so that the seeds of before mean what they did
  const away = new Random(seed ^ 0x2c9277b5);
  const idly = new Random(seed ^ 0x51f15e3d);
  const natively = new Random(seed ^ 0x6b8b4567);
  const calm = random.chance(0.25);
  const processes = random.whole(2, 4);
  const capacity = kind === 'semaphore' ? random.whole(2, 6) : WHOLE;
  const names = random.chance(0.85) ? ['a'] : ['a', 'b'];
  const ttls = random.pick([[300], [1_000], [3_000], [300, 1_000], [1_000, 3_000], [100], [10_000]]);
  const spread = random.pick([0, 20, 500, 3_000]);
  const longest = random.pick([0, 2, 30, 300, 2 * (ttls[0] ?? 0)]);
  const lingers = idly.chance(0.5);
  const callers = Array.from({ length: random.pick([3, 6, 10, 16, 24]) }, () => {
    const ttl = random.pick(ttls);
    const caller = callerOf(random, ttl, random.between(0, spread), random.between(0, longest));
    const units = unitsOf(random, kind, capacity);
    const downgrades = kind === 'readWrite' && units > 1 && random.chance(0.2);
    const downgradeAfter = downgrades ? random.between(0, caller.hold) : Infinity;
    const [process, name] = [random.whole(0, processes - 1), random.pick(names)];
    const entries = entriesOf(inside, kind, longest);
    const entryDowngrades = kind === 'readWrite' && units > 1 && !downgrades && inside.chance(0.3);
    const gives = givesOf(away, entries.length > 0 ? 0 : caller.hold, ttl, processes);
    const linger = lingers && units === capacity && idly.chance(0.7) ? idly.between(0, ttl) : 0;
    return { ...caller, process, name, units, downgradeAfter, entries, entryDowngrades, linger, ...gives };
  });
  const drifts = Array.from({ length: processes }, () => random.between(-0.009, 0.009));
  const deaf = random.chance(calm ? 0 : 0.1) ? [random.whole(0, processes - 1)] : [];
  // A command has a third of the ttl: the usual round trip takes at most half of that.
  const usual = Math.min(random.pick([0.05, 0.3, 0.3, 2, 15]), Math.min(...ttls) / 20);
  const spikes = calm ? 0 : random.pick([0, 0.02, 0.2]);
  const fenceMemory = random.chance(0.2) ? 0 : 60_000;
  return {
    seed,
    kind,
    capacity,
    drifts,
    deaf,
    fenceMemory,
    native: fenceMemory === 0 && natively.chance(0.8),
    counted: random.chance(0.9),
    latency: { usual, spikes, spike: random.pick([20, 100, 400, 1_200]) },
    callers: callers.sort((one, other) => one.at - other.at),
    faults: calm ? [] : faultsOf(random, processes, names, Math.min(...ttls), guardOf(Math.min(...ttls))),
  };
}

function callerOf(random: Random, ttl: number, at: number, hold: number) {
  const wait = random.pick([
    0,
    random.between(5, 300),
    random.between(300, 4_000),
    30_000,
    Infinity,
    Infinity,
  ]);
  return {
    at,
    ttl,
    wait,
    hold,
    renews: random.chance(0.75),
    maxHold: random.chance(0.1) ? random.between(10, 2 * ttl) : Infinity,
    abortAfter: random.chance(0.15) ? random.between(0, random.pick([3, 100, 2_000])) : Infinity,
    keep: random.chance(0.05) ? random.between(1, ttl / 2) : 0,
    renewAfter: random.chance(0.1) ? random.between(0, hold) : Infinity,
  };
}

function givesOf(random: Random, hold: number, ttl: number, processes: number) {
  const gives = random.chance(0.3);
  const givesFor = random.pick([ttl, ttl, ttl / 3, 3 * ttl]);
  const way = random.pick([1, givesFor / 4, givesFor / 2, 1.2 * givesFor]);
  const takers = Array.from({ length: random.pick([0, 1, 1, 1, 2, 3]) }, () => ({
    process: random.whole(0, processes - 1),
    after: random.between(0, way),
    hold: random.between(0, 2 * ttl),
  }));
  const givesAfter = random.between(0, hold);
  return gives && hold > 0
    ? { givesAfter, givesFor, takers }
    : { givesAfter: Infinity, givesFor, takers: [] };
}

/** Permits are not entered. */
function entriesOf(random: Random, kind: Kind, longest: number): number[] {
  if (kind === 'semaphore' || random.chance(0.8)) return [];
  return Array.from({ length: random.whole(1, 3) }, () => random.between(0, longest));
}

function unitsOf(random: Random, kind: Kind, capacity: number): number {
  if (kind === 'mutex') return WHOLE;
  if (kind === 'readWrite') return random.chance(0.4) ? WHOLE : 1;
  return random.chance(0.6) ? 1 : random.whole(1, capacity);
}
