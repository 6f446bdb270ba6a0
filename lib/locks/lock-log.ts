/** What the locks report, where to, and how a line reaches a log that takes only texts. */
import type { DeadlockMember, LockError } from '../base/errors.js';

/**
 * What a line of the log is about:
 *
 * - `lost`: a lease was lost. `losses`: so many more were, within the same second.
 * - `unlocked-run`: work runs without its lock (`onStoreError: 'run'`). `unlocked-runs`: so many more did.
 * - `revoked`: this process revoked a lock.
 * - `store-lost`, `store-back`: the connection to a server. `store-moved`: another server took its place.
 * - `store-warning`: what the start-up probe found. `memory`: the locks serialise this process only.
 * - `self-wait`: a call waits for a lock that its own context holds.
 * - `deadlock`: calls wait for each other, each for a lock that the next one holds.
 * - `campaign`: a campaign for a lead failed and goes on.
 * - `blocked-loop`: the event loop stood still for so long that leases came near their deadline.
 * - `unreleased`: a lease is held for longer than `leakDetectionThreshold`.
 * - `recording`: what was recorded, at a signal of the process.
 * - `fire-run`: the run of a fire of a schedule begins here. `fire-elsewhere` (level `debug`): another process has it.
 *   `fire-missed`: it is not run here, since it is too long ago.
 * - `refused` (level `log`): a call found its lock busy, and its handler's client was told so. `refusals`: so many more were,
 *   within the same second. `failed` (level `error`): the same for every other lock error.
 * - `scheduled`: each process runs a scheduled method, one after the other. `unheard`: nobody awaits the promise of a locked
 *   method. `registrations`: an application has several registrations of one name.
 *
 * @publicApi
 */
export type LockLogEvent =
  | 'lost'
  | 'losses'
  | 'unlocked-run'
  | 'unlocked-runs'
  | 'revoked'
  | 'store-lost'
  | 'store-back'
  | 'store-moved'
  | 'store-warning'
  | 'memory'
  | 'self-wait'
  | 'deadlock'
  | 'campaign'
  | 'blocked-loop'
  | 'unreleased'
  | 'recording'
  | 'fire-run'
  | 'fire-elsewhere'
  | 'fire-missed'
  | 'refused'
  | 'refusals'
  | 'failed'
  | 'scheduled'
  | 'unheard'
  | 'registrations';

/**
 * One line of the log with its fields. A field that is not known, or does not belong to the event, is left out. The
 * message says all of it in words.
 *
 * @publicApi
 */
export interface LockLogEntry {
  readonly level: 'error' | 'warn' | 'log' | 'debug';
  readonly message: string;
  readonly event: LockLogEvent;
  /** The name of the lock. */
  readonly lock?: string;
  /** The fence of the lease. */
  readonly fence?: number;
  /** Why the lease was lost or the call refused, or the operator's reason of a revocation. */
  readonly reason?: string;
  /** `host:pid label` of whoever holds or held it. */
  readonly holder?: string;
  /** For how long the lease was held, in milliseconds. */
  readonly heldFor?: number;
  /** How a server is called, without credentials. */
  readonly address?: string;
  /** How many leases, runs, calls or holders it is about. */
  readonly count?: number;
  /** Who waits for whom. */
  readonly deadlock?: readonly DeadlockMember[];
  /** How long an outage or a standstill lasted, in milliseconds. */
  readonly duration?: number;
  /** Where in the program it happened: the decorated method, or the stack that took the lease. */
  readonly place?: string;
  /** The instant of the fire of a schedule, as an ISO 8601 text. */
  readonly fire?: string;
  /** The error that left a handler. */
  readonly error?: LockError;
  /** With the option `recorder`: what happened lately, a {@link LockHistoryEvent} as JSON in each line. */
  readonly recording?: string;
}

/**
 * Where the locks report what an operator should know. The `Logger` of Nest fits. Each line is about a change of state;
 * a call that finds a lock busy logs nothing, unless its error leaves a handler of Nest.
 *
 * @publicApi
 */
export interface LockLog {
  /** What an operator should look at. */
  warn(message: string): void;
  /** An error that left a handler. @default `warn` */
  error?(message: string): void;
  /** What is good to know, for example that Redis is back. @default `warn` */
  log?(message: string): void;
  /** What only somebody who searches for a fault wants to know. @default nothing */
  debug?(message: string): void;
  /** Takes each line with its fields, for structured logs; where it is given, the others are not called. */
  write?(entry: LockLogEntry): void;
}

/** The fields of an entry beside its level, message and event. */
export type LogFields = Omit<LockLogEntry, 'level' | 'message' | 'event'>;

/** Logs something that an operator should look at. */
export function warn(log: LockLog, event: LockLogEvent, message: string, fields: LogFields = {}): void {
  guarded(() => {
    if (log.write) log.write({ level: 'warn', message, event, ...fields });
    else log.warn(spoken(message, fields));
  });
}

/** The log is the user's own: its failure is not a failure of the locks. */
function guarded(say: () => void): void {
  try {
    say();
  } catch {
    // There is no other place to say it.
  }
}

/** What a log that takes only texts is given. */
export function spoken(message: string, { recording }: LogFields): string {
  return recording === undefined ? message : `${message}\n${recording}`;
}

/** Logs something that is good to know, with `log` if there is one. */
export function inform(log: LockLog, event: LockLogEvent, message: string, fields: LogFields = {}): void {
  guarded(() => {
    if (log.write) log.write({ level: 'log', message, event, ...fields });
    else if (log.log) log.log(spoken(message, fields));
    else log.warn(spoken(message, fields));
  });
}

/** Logs an error that left a handler. */
export function fail(log: LockLog, event: LockLogEvent, error: LockError): void {
  const { message, lockName } = error;
  const fields = { ...(lockName !== undefined && { lock: lockName }), error };
  guarded(() => {
    if (log.write) log.write({ level: 'error', message, event, ...fields });
    else if (log.error) log.error(message);
    else log.warn(message);
  });
}

/** Logs something for whoever searches for a fault. */
export function debug(log: LockLog, event: LockLogEvent, message: string, fields: LogFields = {}): void {
  guarded(() => {
    if (log.write) log.write({ level: 'debug', message, event, ...fields });
    else log.debug?.(message);
  });
}
