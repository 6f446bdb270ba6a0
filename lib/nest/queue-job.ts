import { type LockBusyError, LockError } from '../base/errors.js';
import type { Lease } from '../locks/lock.js';
import { workOrElse } from '../locks/busy-call.js';

// A worker that still runs would take the job again at once, and do nothing else.
const COMES_BACK_IN = 1_000;

/** What we use of a BullMQ job; `moveToWaitingChildren` distinguishes it from a job of Bull, which has no DelayedError. */
export interface QueueJob {
  readonly token?: string;
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
  moveToWaitingChildren(token: string): Promise<unknown>;
}

/** Whether a method was called as BullMQ calls a processor: with a job and its token, which services are not passed. */
export function isProcessorCall(args: readonly unknown[]): args is readonly [QueueJob, string] {
  const [job, token] = args;
  return typeof token === 'string' && typeof job === 'object' && job !== null && isJob(job, token);
}

function isJob(given: object, token: string): boolean {
  try {
    const { moveToDelayed, moveToWaitingChildren, token: own } = given as Partial<QueueJob>;
    return (
      typeof moveToDelayed === 'function' && typeof moveToWaitingChildren === 'function' && token === own
    );
  } catch {
    return false; // a proxy that throws for properties it does not have
  }
}

/**
 * Runs the work of a job under a lock, with `run`. A job that is refused because the process shuts down was not begun, so
 * it goes back to its queue. Otherwise BullMQ would count a failed attempt, or give the job up.
 */
export function requeuedAtShutdown(
  job: QueueJob,
  token: string,
  work: (lease: Lease) => PromiseLike<unknown>,
  run: (work: (lease: Lease) => PromiseLike<unknown>) => Promise<unknown>,
): Promise<unknown> {
  return workOrElse(run, work, async (error) => {
    if (!isClosed(error)) throw error;
    try {
      await job.moveToDelayed(Date.now() + COMES_BACK_IN, token);
      // By this name BullMQ knows that the processor has moved the job itself, and leaves the job alone.
      error.name = 'DelayedError';
    } catch {
      // Its Redis is gone: BullMQ gets the refusal, and cannot do more than that either.
    }
    throw error;
  });
}

function isClosed(error: unknown): error is LockBusyError {
  // Checked by its code, since the LockService may come from another copy of this package.
  return LockError.is(error) && error.code === 'LOCK_BUSY' && (error as LockBusyError).reason === 'closed';
}
