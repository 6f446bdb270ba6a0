/** What a caller asks a line for, and which part of it goes to the store. Imports nothing of this floor. */

/** What an attempt asks the store for, and what its hold then has. Spans are milliseconds. */
export interface Terms {
  readonly units: number;
  readonly capacity: number;
  readonly ttl: number;
  /** The server keeps the lease for this much longer than its holder believes in it. */
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
  /** The caller is refused if this many others stand in line already. */
  readonly maxWaiters: number;
  readonly signal: AbortSignal | undefined;
  /** The verb: `using` runs work under the lock, `acquire` leaves the lease to the caller. @default 'acquire' */
  readonly by?: 'acquire' | 'using' | undefined;
  /** Whether nobody awaits it, so that the process need not stay alive for it. @default false */
  readonly unattended?: boolean | undefined;
  /** Whether the caller stops waiting when the process shuts down and its servers are about to close. */
  readonly leavesAtShutdown?: boolean;
  /** Whether the caller came at that time, and therefore does not wait. */
  readonly hurried?: boolean;
}

/** Whether a grant for one of the terms also serves a caller with the other: as many units, and the same capacity. */
export function sameUnits(one: Terms, other: Terms): boolean {
  return one.units === other.units && one.capacity === other.capacity;
}

/** Whether a hold of these terms excludes every other. */
export function exclusive({ units, capacity }: Terms): boolean {
  return units === capacity;
}
