/** What locks tell whoever listens on the channels of `node:diagnostics_channel`. Types only. */
import type { LockBusyReason, LockHolder, LockLostReason } from '../base/errors.js';

/**
 * What every message about one lock says. Messages are plain objects that several listeners share: they only read them.
 *
 * @publicApi
 */
export interface LockEvent {
  /** The whole name of the lock. */
  readonly name: string;
  /** The option `label` of the call; undefined when it gave none. */
  readonly label?: string;
  /** The permits of a semaphore; 1 for a reader, and 2³⁰ for a mutex or writer. */
  readonly units: number;
}

/**
 * One call that asks for a lock: the context of the TracingChannel `nestjs-distributed-lock:acquire`, which adds `result`
 * (the lease) or `error` at the end. It is one object for the whole call.
 *
 * @publicApi
 */
export interface LockAcquireEvent extends LockEvent {
  /** The units that the name has in all: the permits of a semaphore, 2³⁰ of other locks. */
  readonly capacity: number;
  /** The LockService that is asked: the `leaseId` of each of its leases begins with it and a dot. */
  readonly session: string;
  /** How long the call is ready to wait, in milliseconds; 0 asks once. */
  readonly wait: number;
}

/**
 * A caller of this process was granted a lock, by the store or by a hand-off inside the process:
 * `nestjs-distributed-lock:granted`.
 *
 * @publicApi
 */
export interface LockGrantedEvent extends LockEvent {
  readonly fence: number;
  /** The same in all messages about one lease, and different for every other lease of every process. */
  readonly leaseId: string;
  /** From the call to the grant, in milliseconds. */
  readonly waited: number;
  /** Whether another caller of this process handed it off, without the store. */
  readonly handedOff: boolean;
  /** The units that the name has in all: the permits of a semaphore, 2³⁰ of other locks. */
  readonly capacity: number;
  /** For how many milliseconds the lease is proven unless it is renewed. */
  readonly remaining: number;
  /** The call that was granted it; undefined when nobody listened to the TracingChannel as it began. */
  readonly acquire?: LockAcquireEvent;
}

/**
 * A caller of this process was refused a lock with a LockBusyError: `nestjs-distributed-lock:busy`.
 *
 * @publicApi
 */
export interface LockBusyEvent extends LockEvent {
  readonly reason: LockBusyReason;
  /** From the call to the refusal, in milliseconds. */
  readonly waited: number;
  /** Who has the lock, as far as it is known. */
  readonly holder?: LockHolder;
  /** The call that was refused; undefined when nobody listened to the TracingChannel as it began. */
  readonly acquire?: LockAcquireEvent;
}

/**
 * A caller gave its lease back in time: `nestjs-distributed-lock:released`.
 *
 * @publicApi
 */
export interface LockReleasedEvent extends LockEvent {
  readonly fence: number;
  readonly leaseId: string;
  /** From the grant to the release, in milliseconds. */
  readonly held: number;
}

/**
 * A lease was released, and its process keeps the hold for the next caller: `nestjs-distributed-lock:lingering`. It follows
 * the {@link LockReleasedEvent} of the lease.
 *
 * @publicApi
 */
export interface LockLingeringEvent extends LockEvent {
  /** The fence of the lease that was released. */
  readonly fence: number;
  readonly leaseId: string;
  /** For how many milliseconds it is kept at most. */
  readonly linger: number;
}

/**
 * A lease of this process ended without a release: `nestjs-distributed-lock:lost`. It is told as soon as this process
 * notices, and nothing more is told about the lease after it.
 *
 * @publicApi
 */
export interface LockLostEvent extends LockEvent {
  readonly fence: number;
  readonly leaseId: string;
  /** From the grant to the end of the lease, in milliseconds. */
  readonly held: number;
  readonly reason: LockLostReason;
  /** What the operator gave as the reason of `revoke`, when `reason` is `revoked` and the text is known. */
  readonly revokeReason?: string;
}

/**
 * Half of the ttl of a lease is over, and no renewal was answered: `nestjs-distributed-lock:at-risk`. It is told once until
 * a renewal is answered, which a {@link LockRenewedEvent} tells; without one, the lease ends in `remaining` ms.
 *
 * @publicApi
 */
export interface LockAtRiskEvent extends LockEvent {
  readonly fence: number;
  readonly leaseId: string;
  /** From the grant until now, in milliseconds. */
  readonly held: number;
  /** For how many more milliseconds the lease is proven. */
  readonly remaining: number;
}

/**
 * The store has confirmed a renewal: `nestjs-distributed-lock:renewed`.
 *
 * @publicApi
 */
export interface LockRenewedEvent extends LockEvent {
  /** The fence of the present lease. */
  readonly fence: number;
  readonly leaseId: string;
  /**
   * From the time at which the renewal was due (a third of the ttl after the last one) to its answer, in milliseconds,
   * retries included: a lease is lost when that reaches two thirds of its ttl. 0 for a renewal before it was due.
   */
  readonly lag: number;
  /** From sending the command to its answer, in milliseconds. */
  readonly took: number;
  /** For how many more milliseconds the lease is proven now. */
  readonly remaining: number;
}

/**
 * This process took a lock away from its holders with `revoke`: `nestjs-distributed-lock:revoked`. The holders' own
 * processes tell of it with a {@link LockLostEvent}.
 *
 * @publicApi
 */
export interface LockRevokedEvent {
  readonly name: string;
  /** What the operator gave as the reason. */
  readonly reason: string;
  /** Whether the name is free at once, and not when its holders give it back. */
  readonly force: boolean;
  /** How many holders there were. */
  readonly holders: number;
  /** One of them. */
  readonly holder?: LockHolder;
}

/**
 * A command about a lock failed: `nestjs-distributed-lock:store-error`. Most commands are sent again, so it does not mean
 * that a call failed.
 *
 * @publicApi
 */
export interface LockStoreErrorEvent {
  readonly name: string;
  readonly command: 'acquire' | 'renew' | 'release' | 'downgrade' | 'await-latch';
  /** Whether the store refused definitely; otherwise the outcome is unknown. */
  readonly refused: boolean;
  /** The message of the LockStoreError: it names the server, and never shows credentials. */
  readonly message: string;
}

/**
 * The channels of `node:diagnostics_channel`, and what is published on each.
 *
 * @publicApi
 */
export interface LockEvents {
  readonly 'nestjs-distributed-lock:granted': LockGrantedEvent;
  readonly 'nestjs-distributed-lock:busy': LockBusyEvent;
  readonly 'nestjs-distributed-lock:released': LockReleasedEvent;
  readonly 'nestjs-distributed-lock:lingering': LockLingeringEvent;
  readonly 'nestjs-distributed-lock:lost': LockLostEvent;
  readonly 'nestjs-distributed-lock:at-risk': LockAtRiskEvent;
  readonly 'nestjs-distributed-lock:renewed': LockRenewedEvent;
  readonly 'nestjs-distributed-lock:revoked': LockRevokedEvent;
  readonly 'nestjs-distributed-lock:store-error': LockStoreErrorEvent;
}
