import type { Fault } from './fault.js';
import type { Random } from './random.js';

const LAST = 6_000;
const LONGEST = 4_000;

/** When all of them are over, and what was late has arrived. */
export function calmAfter(faults: readonly Fault[]): number {
  return Math.max(0, ...faults.map(endOf));
}

function endOf(fault: Fault): number {
  const span = 'span' in fault ? fault.span : 0;
  const late = 'late' in fault ? Math.max(fault.late.within, fault.noticed) : 0;
  return fault.at + span + late + 1;
}

/** Random faults. Steps forward of the server's clock add up to less than the guard of the shortest ttl. */
export function faultsOf(
  random: Random,
  processes: number,
  names: readonly string[],
  ttl: number,
  guard: number,
): Fault[] {
  if (random.chance(0.2)) return storm(random, processes);
  const kinds = random.pick([COMMON, COMMON, ALL]);
  const window = random.pick([50, 1_000, LAST]);
  let forward = guard * 0.9;
  const faults = Array.from({ length: random.pick([1, 2, 4, 8, 12]) }, (): Fault => {
    const fault = faultOf(random, random.pick(kinds), processes, names, ttl);
    const at = random.between(0, window);
    if (fault.kind !== 'step' || fault.by <= 0) return { ...fault, at };
    const by = Math.min(fault.by, forward);
    forward -= by;
    return { ...fault, at, by };
  });
  return faults.sort((one, other) => one.at - other.at);
}

const COMMON: readonly Fault['kind'][] = [
  'reset',
  'reset',
  'hole',
  'slow',
  'pause',
  'kill',
  'freeze',
  'refuse',
];
const ALL: readonly Fault['kind'][] = [
  ...COMMON,
  ...(['shutdown', 'jump', 'mute', 'flush', 'restart', 'step', 'step', 'revoke'] as const),
];

/** Connections for commands that break all the time, and whose last bytes are read a little later. */
function storm(random: Random, processes: number): Fault[] {
  const window = random.pick([50, 500, 3_000]);
  const within = random.pick([5, 50, 300, 1_000]);
  const faults = Array.from({ length: random.pick([8, 16, 32]) }, (): Fault => {
    const late = { copies: random.whole(1, 2), within };
    const [process, at] = [random.whole(0, processes - 1), random.between(0, window)];
    return { kind: 'reset', process, which: 'commands', late, noticed: 0, at };
  });
  return faults.sort((one, other) => one.at - other.at);
}

type Unplaced<F> = F extends Fault ? Omit<F, 'at'> : never;

function faultOf(
  random: Random,
  kind: Fault['kind'],
  processes: number,
  names: readonly string[],
  ttl: number,
): Unplaced<Fault> {
  const process = random.whole(0, processes - 1);
  const which = random.pick(['commands', 'notices'] as const);
  const span = random.between(0, random.pick([20, 200, ttl, 2 * ttl, LONGEST]));
  const late = { copies: random.whole(0, 2), within: random.pick([1, 50, 1_000, LONGEST]) };
  const noticed = random.chance(0.5) ? 0 : random.between(0, LONGEST);
  switch (kind) {
    case 'reset':
      return { kind, process, which, late, noticed };
    case 'hole': {
      const directions = random.pick([['up', 'down'], ['up'], ['down']] as const);
      return { kind, process, which, directions, span, heals: random.chance(0.5) };
    }
    case 'slow':
      return { kind, process, which, span, by: random.pick([5, 50, 500, 2_000]) };
    case 'pause':
      return { kind, process, span: Math.min(span, LONGEST) };
    case 'kill':
      return { kind, process, late, noticed };
    case 'shutdown':
      return { kind, process, grace: random.pick([0, 50, 10_000]) };
    case 'jump':
      return { kind, process, by: random.pick([30, 500, 10_000, 3_600_000]) };
    case 'freeze':
    case 'refuse':
    case 'mute':
      return { kind, span };
    case 'flush':
      return { kind };
    case 'restart':
      return { kind, by: random.pick([0, random.between(-2_000, 2_000)]) };
    case 'step':
      return { kind, by: random.chance(0.5) ? random.between(1, 500) : -random.between(1, 100_000) };
    case 'revoke':
      return { kind, name: random.pick(names), force: random.chance(0.4) };
  }
}
