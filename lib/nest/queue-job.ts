import { LockBusyError } from '../base/errors.js';

// A worker that still runs takes the job again then: not at once, or it would do nothing else.
const COMES_BACK_IN = 1_000;

/** What we use of a job of BullMQ; the second method tells it from a job of Bull, which knows no DelayedError. */
export interface QueueJob {
  readonly token?: string;
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
  moveToWaitingChildren(token: string): Promise<unknown>;
}

/** Whether a method was called with a job of BullMQ. */
export function isQueueJob(value: unknown): value is QueueJob {
  if (typeof value !== 'object' || value === null) return false;
  const { moveToDelayed, moveToWaitingChildren } = value as Partial<QueueJob>;
  return typeof moveToDelayed === 'function' && typeof moveToWaitingChildren === 'function';
}

/**
 * Runs the work of a job under a lock, by `run`. A job that is refused because the process shuts down was not begun:
 * it goes back to its queue, where BullMQ would count a failed attempt, or give it up.
 */
export async function requeuedAtShutdown(
  job: QueueJob,
  token: unknown,
  work: () => PromiseLike<unknown>,
  run: (work: () => PromiseLike<unknown>) => Promise<unknown>,
): Promise<unknown> {
  let begun = false;
  try {
    return await run(() => {
      begun = true;
      return work();
    });
  } catch (error) {
    if (begun || !(error instanceof LockBusyError) || error.reason !== 'closed') throw error;
    try {
      await job.moveToDelayed(Date.now() + COMES_BACK_IN, typeof token === 'string' ? token : job.token);
      // BullMQ goes by the name: it leaves a job alone that was moved by its own processor.
      error.name = 'DelayedError';
    } catch {
      // Its Redis is gone: BullMQ is told of the refusal, and can do no more than we.
    }
    throw error;
  }
}
