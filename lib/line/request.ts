/** What a caller asks a line for, and what of it the store is asked for. Imports nothing of this floor. */

/** What an attempt asks the store for, and what a hold of it is. Spans are milliseconds. */
export interface Terms {
  readonly units: number;
  readonly capacity: number;
  readonly ttl: number;
  /** The server keeps the lease this much longer than we believe in it. */
  readonly guard: number;
  /** Asks once and never queues. */
  readonly once: boolean;
  /** `host:pid label` of the caller, for people. */
  readonly identity: string;
}

/** What one caller asks of the line. Spans are milliseconds. */
export interface Request {
  readonly name: string;
  readonly terms: Terms;
  readonly wait: number;
  readonly renews: boolean;
  readonly maxHold: number;
  /** How many may stand in line before this one is refused. */
  readonly maxWaiters: number;
  readonly signal: AbortSignal | undefined;
  /** Whether it is for a piece of work that the library runs, or for a lease that the caller keeps. @default 'acquire' */
  readonly by?: 'acquire' | 'using' | undefined;
  /** Nobody awaits it: the process need not stay alive for it. @default false */
  readonly unattended?: boolean | undefined;
  /** Whether it stops waiting when the servers of a process that shuts down are about to close. */
  readonly leavesAtShutdown?: boolean;
  /** Whether it came when they were, and so does not wait. */
  readonly hurried?: boolean;
}

/** Whether a grant for one of the terms serves a caller with the other: it is for as many units of the same kind of lock. */
export function sameUnits(one: Terms, other: Terms): boolean {
  return one.units === other.units && one.capacity === other.capacity;
}

/** Whether a hold of these terms excludes every other. */
export function exclusive({ units, capacity }: Terms): boolean {
  return units === capacity;
}
