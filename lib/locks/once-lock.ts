import type { Duration } from '../base/duration.js';
import type { LeaseHandle, LockSetup } from './lease-handle.js';
import { refuseUnknown } from './checks.js';
import { namesFor, OPTIONS } from './option-table.js';
import type { UsingOptions } from './lock.js';
import { NameLock } from './name-lock.js';

/**
 * How `once` behaves.
 *
 * @publicApi
 */
export interface OnceOptions extends Omit<UsingOptions, 'onStoreError' | 'reentrant' | 'within' | 'minHold'> {
  /** For how long the work counts as done, so that nobody runs it again: 100 ms … 24 h. */
  readonly doneTtl: Duration;
}

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

  constructor(
    name: string,
    setup: LockSetup,
    private readonly options: OnceOptions,
  ) {
    super(name, 'write', setup);
    refuseUnknown(options, ONCE_OPTIONS, name);
    this.done = Math.ceil(OPTIONS.doneTtl.check(options.doneTtl, name));
  }

  run<T>(work: (lease: LeaseHandle) => T | PromiseLike<T>): Promise<OnceOutcome<T>> {
    return this.using<OnceOutcome<T>>(
      async (lease) => (lease.workDone ? { ran: false } : { ran: true, value: await work(lease) }),
      { ...this.options, within: undefined, reentrant: false, minHold: 0 },
    );
  }

  protected override optionsOf(): ReadonlySet<string> {
    return RUN_OPTIONS;
  }

  protected override giveBack(
    lease: LeaseHandle,
    outcome: { result: OnceOutcome<unknown> } | { cause: unknown },
  ): void {
    const succeeded = 'result' in outcome && outcome.result.ran;
    void lease.release({ keep: 0, done: succeeded ? this.done : 0 });
  }
}
