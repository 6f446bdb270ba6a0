import type { Duration } from '../base/duration.js';
import { type LockBusyError, LockStoreError } from '../base/errors.js';
import { unlessBusy } from './busy-call.js';
import type { LeaseHandle, LockSetup } from './lease-handle.js';
import { checkOptions, checkWork } from './checks.js';
import { namesFor, OPTIONS } from './option-table.js';
import type { UsingOptions } from './lock.js';
import { NameLock } from './name-lock.js';

/**
 * How `once` behaves.
 *
 * @publicApi
 */
export interface OnceOptions extends Omit<
  UsingOptions,
  'linger' | 'onStoreError' | 'reentrant' | 'within' | 'minHold'
> {
  /** For how long the work counts as done, so that nobody runs it again: 100 ms … 24 h. */
  readonly doneTtl: Duration;
  /**
   * When the work is marked as done. `end`: after it has succeeded, so that it runs at least once: when its process dies,
   * the next caller runs it. `start`: before it begins, so that it runs at most once, whatever becomes of it.
   * @default 'end'
   */
  readonly mark?: 'start' | 'end' | undefined;
}

// In milliseconds: longer than anybody holds a name to find its mark.
const WAIT_WHEN_MARKED = 30_000;

const ONCE_OPTIONS = namesFor('once');
// Including the options that `once` itself passes to `using`.
const RUN_OPTIONS = namesFor('using', 'once');

/**
 * Whether this call ran the work, and what it returned.
 *
 * @publicApi
 */
export type OnceOutcome<T> = { readonly ran: true; readonly value: T } | { readonly ran: false };

/** A lock whose work is done once: the release by the caller that ran it leaves a mark for the others. */
export class OnceLock extends NameLock {
  private readonly done: number;
  private readonly marksFirst: boolean;

  constructor(
    name: string,
    setup: LockSetup,
    private readonly options: OnceOptions,
  ) {
    super(name, 'write', setup);
    checkOptions(options, name, ONCE_OPTIONS);
    this.done = Math.ceil(OPTIONS.doneTtl.check(options.doneTtl, name));
    this.marksFirst = options.mark !== undefined && OPTIONS.mark.check(options.mark, name) === 'start';
  }

  run<T>(work: (lease: LeaseHandle) => T | PromiseLike<T>): Promise<OnceOutcome<T>> {
    checkWork(work, this.name); // before anything marks it as begun
    return this.marksFirst ? this.markedThenRun(work) : this.runThenMarked(work);
  }

  private runThenMarked<T>(work: (lease: LeaseHandle) => T | PromiseLike<T>): Promise<OnceOutcome<T>> {
    return this.using<OnceOutcome<T>>(async (lease) => {
      if (lease.workDone) {
        lease.lineLease.unused = true;
        return { ran: false };
      }
      lease.staysWith = 'once'; // whoever resumed it would not mark the work as done
      return { ran: true, value: await work(lease) };
    }, this.terms());
  }

  /**
   * Two holds: the first leaves the mark, and the work has the second. Only the answer to the release tells that the mark is
   * ours: a hold that was over before the release arrived left none, and somebody else may have begun since.
   */
  private async markedThenRun<T>(work: (lease: LeaseHandle) => T | PromiseLike<T>): Promise<OnceOutcome<T>> {
    for (;;) {
      const lease = await this.acquire(this.terms());
      const { workDone } = lease;
      lease.lineLease.unused = true;
      const left = await lease.release({ keep: 0, done: workDone ? 0 : this.done });
      if (workDone) return { ran: false };
      if (left === 'released') break;
    }
    // Callers who only find the mark hold the name for a moment. Whoever has left the mark does not give up because of them,
    // however short its wait is: nobody else runs the work.
    const terms = { ...this.terms(), wait: WAIT_WHEN_MARKED, maxWaiters: undefined };
    return unlessBusy(
      (run) => this.using<OnceOutcome<T>>(run, terms),
      async (lease: LeaseHandle): Promise<OnceOutcome<T>> => {
        if (!lease.workDone) throw unmarked(this.name);
        lease.staysWith = 'once';
        return { ran: true, value: await work(lease) };
      },
      (error) => {
        throw notRun(error);
      },
    );
  }

  private terms(): UsingOptions {
    const { doneTtl: _, mark: __, ...options } = this.options;
    return { ...options, within: undefined, reentrant: false, minHold: 0 };
  }

  protected override optionsOf(): ReadonlySet<string> {
    return RUN_OPTIONS;
  }

  protected override giveBack(
    lease: LeaseHandle,
    outcome: { result: OnceOutcome<unknown> } | { cause: unknown },
  ): void {
    // A second mark would last longer than the first.
    const succeeded = 'result' in outcome && outcome.result.ran && !lease.workDone;
    void lease.release({ keep: 0, done: succeeded ? this.done : 0 });
  }
}

/** An error that does not say "somebody else runs it", which a busy lock says everywhere else. */
function notRun(error: LockBusyError): LockStoreError {
  const { lockName = '', message } = error;
  return new LockStoreError(
    `'${lockName}' was marked as begun, and could not be locked again to run it: it was not run. ${message}`,
    lockName,
    { cause: error },
  );
}

function unmarked(name: string): LockStoreError {
  return new LockStoreError(
    `The mark that '${name}' was begun is gone from the store, so that somebody else may run it, too. It was not run here.`,
    name,
  );
}
