import { AsyncLocalStorage } from 'node:async_hooks';
import type { CallOrigin } from './hidden-options.js';
import type { Lease } from './lock.js';

/** How a name is locked: alone, together with other readers, or as one of several permits. */
export type LockMode = 'write' | 'read' | 'permits';

/** What the async context has to know of a lease on one name. */
export interface TrackedLease<Self> extends Lease {
  readonly name: string;
  readonly mode: LockMode;
  /** Whether its holder has given it back, or will do so when the entries begun through it have ended. */
  readonly released: boolean;
  /** The lease that replaced it when it was downgraded; otherwise the lease itself. */
  readonly now: Self;
}

/** A lease under which the running code works. */
export interface ContextLease<L> {
  readonly lease: L;
  /** The lease that was given to the work; it may be on several names. */
  readonly whole: Lease;
  readonly origin: CallOrigin | undefined;
}

/**
 * What an async context refers to. The frame lets go of the lease when the work is done: otherwise promises that the next
 * run makes in this context would keep every run of a chain alive.
 */
export interface ContextFrame<L> {
  /** Undefined when the work is done: code that still runs in this context no longer holds the lease. */
  running: ContextLease<L> | undefined;
  /** The frame of the code around it. Frames that are over are removed when somebody walks past them. */
  outer: ContextFrame<L> | undefined;
}

/**
 * The leases under which the running code works, by its async context. The context follows asynchronous calls, and
 * libraries may run one caller's code in the context of another. So it serves hints and reports, and lets a call in only
 * on request (`reentrant: true`, `super`). There is one per registration.
 */
export class ContextLeases<L extends TrackedLease<L>> {
  private readonly storage = new AsyncLocalStorage<ContextFrame<L> | undefined>();

  /** Stops tracking. Node carries every storage in use through all asynchronous calls of the process. */
  end(): void {
    this.storage.disable();
  }

  /** The innermost frame that is not over. */
  get frame(): ContextFrame<L> | undefined {
    return live(this.storage.getStore());
  }

  /** The innermost lease that is not over. */
  get innermost(): ContextLease<L> | undefined {
    return this.frame?.running;
  }

  /** The innermost lease on `name` that is not over. */
  on(name: string): ContextLease<L> | undefined {
    for (const held of this.all()) if (held.lease.name === name) return held;
    return undefined;
  }

  /** All leases that are not over, from the innermost outwards. */
  all(): ContextLease<L>[] {
    return leasesFrom(this.frame);
  }

  /** The lease on `name`; without a name, the lease that was given to the innermost work. */
  leaseOf(name?: string): Lease | undefined {
    if (name !== undefined) return this.on(name)?.lease.now;
    const { innermost } = this;
    return innermost && (innermost.whole === innermost.lease ? innermost.lease.now : innermost.whole);
  }

  /**
   * Makes the frame, inside of `around`, in which work runs under `whole`, which consists of `leases`. Close it when the
   * work is done.
   */
  open(
    leases: readonly L[],
    whole: Lease,
    origin: CallOrigin | undefined,
    around: ContextFrame<L> | undefined,
  ): ContextFrame<L> | undefined {
    let inner = live(around);
    for (const lease of leases) inner = { running: { lease, whole, origin }, outer: inner };
    return inner;
  }

  /** Starts `work` in a frame. All work comes through here and each promise costs time, so its result is returned as it is. */
  begin<W, T>(inner: ContextFrame<L> | undefined, lease: W, work: (lease: W) => T): T {
    return this.storage.run(inner, beginLazy<W, T>, work, lease);
  }

  /** The work is done. */
  close(inner: ContextFrame<L> | undefined, whole: Lease): void {
    // A part that was given back earlier may have been removed from the chain already.
    for (let frame = inner; frame?.running?.whole === whole; frame = frame.outer) frame.running = undefined;
  }
}

/** A lazy query builder starts when `then` is called, so that has to happen inside the frame, too. */
function beginLazy<W, T>(work: (lease: W) => T, lease: W): T {
  const result = work(lease);
  if (result === null || (typeof result !== 'object' && typeof result !== 'function')) return result;
  if (result instanceof Promise && result.constructor === Promise) return result; // `await` never calls its `then`
  const { then } = result as { then?: unknown };
  if (typeof then !== 'function') return result;
  return new Promise((resolve, reject) => {
    Reflect.apply(then, result, [resolve, reject]);
  }) as T;
}

/** The leases of a frame and those around it that are not over now, from the innermost outwards. */
export function leasesFrom<L extends TrackedLease<L>>(
  innermost: ContextFrame<L> | undefined,
): ContextLease<L>[] {
  const found: ContextLease<L>[] = [];
  for (let frame = live(innermost); frame?.running; frame = outward(frame)) found.push(frame.running);
  return found;
}

function outward<L extends TrackedLease<L>>(frame: ContextFrame<L>): ContextFrame<L> | undefined {
  return (frame.outer = live(frame.outer)); // keeps the chain short when runs start each other
}

function live<L extends TrackedLease<L>>(frame: ContextFrame<L> | undefined): ContextFrame<L> | undefined {
  let at = frame;
  while (at && (!at.running || at.running.lease.released)) at = at.outer;
  return at;
}
