/** What a caller asks a line for, and which part of it goes to the store. Of this floor it imports types of messages only. */
import type { LockHolder } from '../base/errors.js';
import type { LockAcquireEvent } from './lock-events.js';

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
  /** Whether the hold may linger. @default false */
  readonly lingers?: boolean;
}

/** How long a lease lasts unless it is renewed, and for how much longer the server keeps it. */
export type Span = Pick<Terms, 'ttl' | 'guard'>;

/** A lease that a caller holds while it waits. */
export interface HeldLease {
  readonly name: string;
  readonly fence: number;
  /** `host:pid label` of whoever took it. */
  readonly identity: string;
  readonly hold: { readonly id: string; readonly terms: Terms };
  /** Why it is over; undefined while it is held. */
  readonly over: string | undefined;
}

/** What a caller holds while it waits, as far as its async context and its options tell. */
export interface Holding {
  /** The leases that it holds now, the one that it took last first; several of them may be on one name. */
  leases(): readonly HeldLease[];
  /** Whether its wait may be ended when it is part of a deadlock. */
  readonly yields: boolean;
}

/** What one caller asks of the line. Spans are milliseconds. */
export interface Request {
  readonly name: string;
  readonly terms: Terms;
  readonly wait: number;
  readonly renews: boolean;
  readonly maxHold: number;
  /** For how long the hold may be kept after it, for the next caller of this process. @default 0 */
  readonly linger?: number;
  /** The caller is refused if this many others stand in line already. */
  readonly maxWaiters: number;
  readonly signal: AbortSignal | undefined;
  /** Undefined when it holds nothing. */
  readonly holding?: Holding | undefined;
  /** The verb: `using` runs work under the lock, `acquire` leaves the lease to the caller. @default 'acquire' */
  readonly by?: 'acquire' | 'using' | undefined;
  /** Whether nobody awaits it, so that the process need not stay alive for it. @default false */
  readonly unattended?: boolean | undefined;
  /** Whether the caller stops waiting when the process shuts down and its servers are about to close. */
  readonly leavesAtShutdown?: boolean;
  /** Whether the caller came at that time, and therefore does not wait. */
  readonly hurried?: boolean;
  /** The context of its trace, if somebody listens. */
  readonly trace?: LockAcquireEvent;
}

/** Whether a grant for one of the terms also serves a caller with the other: as many units, and the same capacity. */
export function sameUnits(one: Terms, other: Terms): boolean {
  return one.units === other.units && one.capacity === other.capacity;
}

/** Whether a hold of these terms excludes every other. */
export function exclusive({ units, capacity }: Terms): boolean {
  return units === capacity;
}

/** The label of `host:pid label`; '' for none. */
export function labelOf(identity: string): string {
  const space = identity.indexOf(' ');
  return space < 0 ? '' : identity.slice(space + 1);
}

/** `host:pid label` */
export function identityOf({ host, pid, label }: LockHolder): string {
  return `${host}:${pid}${label ? ` ${label}` : ''}`;
}

/** The parts of `host:pid label`. */
export function holderOf(identity: string): LockHolder | undefined {
  const [, host, pid, label] = /^(.*?):(\d+)(?: ([^]*))?$/.exec(identity) ?? [];
  if (host === undefined) return undefined;
  return { host, pid: Number(pid), ...(label ? { label } : {}) };
}
