/** What a figure must be. Ratios are by round, against another row of the same table. */
export interface Bound {
  readonly says: string;
  readonly table: string;
  /** The row of ours; `own` unless given. */
  readonly row?: string;
  readonly column: string;
  /** A row, or the best of the peers. None: the figure itself, which then is no time. */
  readonly against?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /**
   * Instead of the bound in a quick run: a guard against getting worse, for short windows on a machine that others
   * use, too. It is what is reached today with room to spare, also where that is less than the bound.
   */
  readonly quick?: number;
}

/** Whoever of the peers has the best median in this table. */
export const BEST_PEER = 'best peer';

/** What was promised, by scenario. */
export const BOUNDS: readonly Bound[] = [
  {
    says: 'uncontended using, 1 ms away (empty): against the best peer',
    table: 'uncontended-1ms',
    column: 'using',
    against: BEST_PEER,
    atLeast: 1.5,
    quick: 1.2,
  },
  {
    says: 'uncontended acquire + awaited release, one at a time (empty): against the floor',
    table: 'uncontended',
    column: 'byHand',
    against: 'floor',
    atLeast: 0.85,
    quick: 0.2,
  },
  {
    says: 'uncontended acquire + awaited release, 64 in parallel (empty): against the floor',
    table: 'parallel',
    column: 'byHand',
    against: 'floor',
    atLeast: 0.75,
    quick: 0.5,
  },
  {
    says: '50 buyers (rmw): against the bare sections one after another',
    table: 'buyers',
    column: 'ms',
    against: 'bare',
    atMost: 1.2,
    quick: 2,
  },
  {
    says: 'hot name, one process (empty): against the best peer',
    table: 'hot-name',
    column: 'handOffs',
    against: BEST_PEER,
    atLeast: 50,
    quick: 35,
  },
  {
    says: 'hot name, 4 × 8 (empty): against the best peer',
    table: 'processes-empty',
    column: 'handOffs',
    against: BEST_PEER,
    atLeast: 3,
  },
  {
    says: 'hot name, 4 × 8 (rmw): against one process with the bare sections',
    table: 'processes-rmw',
    column: 'handOffs',
    against: 'bare',
    atLeast: 0.7,
    quick: 0.35,
  },
  {
    says: 'hot name, 4 × 8 (rmw): longest wait against the best peer',
    table: 'processes-rmw',
    column: 'longest',
    against: BEST_PEER,
    atMost: 0.25,
    quick: 0.6,
  },
  {
    says: 'hot name, 4 × 8 (empty): most to least served',
    table: 'processes-empty',
    column: 'spread',
    atMost: 1.5,
    quick: 1.8,
  },
  {
    says: 'hot name, 4 × 8 (rmw): most to least served',
    table: 'processes-rmw',
    column: 'spread',
    atMost: 1.5,
    quick: 1.8,
  },
  {
    says: 'hot name, 4 × 8 (empty): hand-offs behind most to least served',
    table: 'processes-empty',
    column: 'total',
    atLeast: 20_000,
  },
  {
    says: 'hot name, 4 × 8 (rmw): hand-offs behind most to least served',
    table: 'processes-rmw',
    column: 'total',
    atLeast: 20_000,
    quick: 500, // four seconds are all there is, on a machine that may be slow
  },
  { says: 'hot name, 4 × 8 (rmw): lost updates', table: 'processes-rmw', column: 'lost', atMost: 0 },
  { says: 'commands a second of 200 waiting sessions', table: 'waiting', column: 'commands', atMost: 60 },
  {
    says: 'wake-up of one remote waiter, p50: against a bare PUBLISH → message round',
    table: 'wake-up',
    column: 'p50',
    against: 'bare',
    atMost: 1.5,
    quick: 4,
  },
  { says: 'leases held: lost', table: 'many-leases', column: 'lost', atMost: 0 },
  {
    says: 'leases held: client, % of a core for 100 000',
    table: 'many-leases',
    column: 'client',
    atMost: 60,
    quick: 160, // no ratio, so it says as much about the machine: half as fast at times
  },
  {
    says: 'leases held: server, % of a core for 100 000',
    table: 'many-leases',
    column: 'server',
    atMost: 60,
    quick: 120,
  },
  {
    says: 'leases held: bytes of heap each',
    table: 'many-leases',
    column: 'bytes',
    atMost: 720,
    quick: 1_250,
  },
  {
    says: '10 000 callers who wait for one name with using: bytes of heap each',
    table: 'many-leases',
    column: 'waiting',
    atMost: 1_000,
    quick: 1_800,
  },
  {
    says: '10 000 callers who wait for one name with acquire: bytes of heap each',
    table: 'many-leases',
    column: 'acquiring',
    atMost: 1_000,
    quick: 1_000,
  },
  {
    says: '10 000 names that were used once: KiB of heap in all',
    table: 'many-leases',
    column: 'idle',
    atMost: 512,
    quick: 1_024,
  },
  {
    says: 'the first 50 locks of a new process (rmw), above the bare sections: against the best peer',
    table: 'cold',
    column: 'above',
    against: BEST_PEER,
    atMost: 0.3,
    quick: 0.7,
  },
  {
    says: 'the first 50 locks of a new process (rmw): lost updates',
    table: 'cold',
    column: 'lost',
    atMost: 0,
  },
  {
    says: 'one name again and again, linger 1 s (empty): against the floor',
    table: 'linger',
    column: 'cycles',
    against: 'floor',
    atLeast: 40,
    quick: 8,
  },
  { says: 'linger 1 s: fences that did not rise', table: 'linger', column: 'falling', atMost: 0 },
  {
    says: 'two processes that alternate, linger 1 s (empty), p50: against two bare messages, there and back',
    table: 'linger-turns',
    column: 'p50',
    against: 'bare',
    atMost: 1.35,
    quick: 4,
  },
  {
    says: 'two processes that alternate, linger 1 s (rmw): lost updates',
    table: 'linger-turns',
    column: 'lost',
    atMost: 0,
  },
  {
    says: 'tries for a name that its process keeps and does not use: refused without a delay',
    table: 'linger-tried',
    column: 'unexplained',
    atMost: 0,
  },
  {
    says: 'tries beside a process that works, linger 1 s (empty): its hand-offs against those without',
    table: 'linger-worked',
    column: 'handOffs',
    against: 'alone',
    atLeast: 0.97,
    quick: 0.5,
  },
  {
    says: '@Locked over the memory store, one at a time (empty): against async-mutex',
    table: 'decorator',
    column: 'one',
    against: 'async-mutex',
    atLeast: 0.25,
    quick: 0.13,
  },
  {
    says: 'server CPU of an uncontended cycle, fenceMemory 0: against SET NX PX + compare-and-delete',
    table: 'server-cost',
    column: 'micros',
    against: 'floor',
    atMost: 1.4,
    quick: 2,
  },
  {
    says: 'server CPU of an uncontended cycle, natively, one name a call: against SET NX PX + compare-and-delete',
    table: 'server-cost',
    row: 'own-native',
    column: 'micros',
    against: 'floor',
    atMost: 1.25,
    quick: 2,
  },
  {
    says: 'uncontended acquire + awaited release, natively (fenceMemory 0): against the scripts',
    table: 'uncontended',
    row: 'own-native',
    column: 'byHand',
    against: 'own',
    atLeast: 1,
    quick: 0.7,
  },
  {
    says: 'cluster of three masters, 64 in parallel: CPU of the client per cycle, against one server',
    table: 'cluster',
    column: 'client',
    against: 'own-one',
    atMost: 1.15,
    quick: 1.8,
  },
  {
    says: 'cluster of three masters, 64 in parallel: CPU of all masters per cycle, against one server',
    table: 'cluster',
    column: 'server',
    against: 'own-one',
    atMost: 2.2,
    quick: 3.5,
  },
  {
    says: 'cluster of three masters, hot name of one process: hand-offs by CPU time, against one server',
    table: 'cluster-hot-name',
    column: 'perCpu',
    against: 'own-one',
    atLeast: 0.95,
    quick: 0.7,
  },
];
