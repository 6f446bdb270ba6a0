import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';
import type { Explanation } from '../line/line.js';
import type { Tenure } from '../line/tenure.js';
import { WHOLE } from '../store/lock-state.js';
import { BaseLock, type LockContext, type LockPart } from './base-lock.js';
import type { Entry, Held, LockMode, OVER } from './held-leases.js';
import type { LeaseHandle } from './lease-handle.js';
import type { AcquireOptions, UsingOptions } from './lock.js';

/** One name, locked alone or together with other readers. */
export class NameLock<L extends LeaseHandle = LeaseHandle> extends BaseLock<L> {
  readonly name: string;
  readonly parts: readonly [LockPart];

  /** `leaseOn` makes the lease of a tenure. @throws LockUsageError for a bad name */
  constructor(
    name: string,
    readonly mode: Exclude<LockMode, 'permits'>,
    context: LockContext,
    private readonly leaseOn: (tenure: Tenure) => L,
  ) {
    super(context);
    this.name = checkName(name);
    this.parts = [{ name, mode }];
  }

  take(options: AcquireOptions, wait: number | undefined, explained?: Explanation): Promise<L> {
    const { line, settings } = this.context;
    const units = this.mode === 'write' ? WHOLE : 1;
    const request = settings.request(this.name, options, wait, { units, capacity: WHOLE });
    return line.acquire(request, this.leaseOn, explained);
  }

  entriesOf(lease: L): Entry[] {
    return [{ name: this.name, mode: this.mode, lease }];
  }

  protected enter<T>(
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions,
    reentrant: boolean,
  ): Promise<T | typeof OVER> | undefined {
    const held = this.heldHere(reentrant);
    return held && this.enterHeld([held], held.lease as L, work, options);
  }

  /** What the running call holds of this name and may enter again. @throws LockUsageError when it may not */
  heldHere(reentrant: boolean): Held | undefined {
    const held = this.context.held.current(this.name);
    if (!held || held.mode === 'permits') return undefined;
    if (!reentrant)
      throw new LockUsageError(
        `The running call holds '${this.name}' already, and reentrant is false: it would wait for itself.`,
        this.name,
      );
    if (held.mode === 'read' && this.mode === 'write')
      throw new LockUsageError(
        `The running call reads under '${this.name}' and asks to write: two readers that do so would wait for ` +
          'each other for ever. Take the write lock from the start, and downgrade it when reading is enough.',
        this.name,
      );
    return held;
  }
}
