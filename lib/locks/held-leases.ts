import { AsyncLocalStorage } from 'node:async_hooks';
import type { CallOrigin } from './hidden-options.js';
import type { Lease } from './lease.js';

/** How a name is locked: alone, together with other readers, or as one of several permits. */
export type LockMode = 'write' | 'read' | 'permits';

/** The lease on one name, as the async context knows it. */
export interface OwnLease<Self> extends Lease {
  readonly name: string;
  readonly mode: LockMode;
  /** Whether its holder gave it back, or will when the entries begun through it have ended. */
  readonly released: boolean;
  /** The lease that took its place when it was downgraded, else itself. */
  readonly now: Self;
}

/** One name that the running code holds. */
export interface Held<L> {
  readonly lease: L;
  /** The lease as the work was given it: of several names, all of them. */
  readonly whole: Lease;
  readonly origin: CallOrigin | undefined;
}

/**
 * The place of an entry in the async context. It is all that a context refers to: when the work is done, what it held is
 * let go of, since promises that the next run of a chain makes in this context would keep each run alive.
 */
export interface Place<L> {
  /** Undefined when the work is done: what still runs does not hold it any more. */
  held: Held<L> | undefined;
  /** What the code around it holds. Those that are over are left out when somebody passes by. */
  outer: Place<L> | undefined;
}

/**
 * Which leases the running code works under, by its async context. The context follows asynchronous calls, and
 * libraries may run one caller's code in the context of another: so it hints and reports, and lets nobody in unless
 * asked to (`reentrant: true`, `super`). One per registration.
 */
export class HeldLeases<L extends OwnLease<L>> {
  private readonly storage = new AsyncLocalStorage<Place<L> | undefined>();

  /** Nothing is held any more. Node carries each storage in use through every asynchronous call of the process. */
  end(): void {
    this.storage.disable();
  }

  /** The innermost place that is not over. */
  get place(): Place<L> | undefined {
    return live(this.storage.getStore());
  }

  /** The innermost entry that is not over. */
  get innermost(): Held<L> | undefined {
    return this.place?.held;
  }

  /** The innermost entry on `name` that is not over. */
  on(name: string): Held<L> | undefined {
    for (const held of this.all()) if (held.lease.name === name) return held;
    return undefined;
  }

  /** All entries that are not over, from the innermost outwards. */
  all(): Held<L>[] {
    const found: Held<L>[] = [];
    for (let { place } = this; place?.held; place = outward(place)) found.push(place.held);
    return found;
  }

  /** The lease on `name`, or the innermost as its work was given it. */
  leaseOf(name?: string): Lease | undefined {
    if (name !== undefined) return this.on(name)?.lease.now;
    const { innermost } = this;
    return innermost && (innermost.whole === innermost.lease ? innermost.lease.now : innermost.whole);
  }

  /** Where work may run with `whole`, which is made of `leases`, inside of `around`. It is to be closed when that is done. */
  open(
    leases: readonly L[],
    whole: Lease,
    origin: CallOrigin | undefined,
    around: Place<L> | undefined,
  ): Place<L> | undefined {
    let inner = live(around);
    for (const lease of leases) inner = { held: { lease, whole, origin }, outer: inner };
    return inner;
  }

  /** Begins `work` there. Every section comes through here, and each promise counts: what it returns is returned as it is. */
  begin<W, T>(inner: Place<L> | undefined, lease: W, work: (lease: W) => T): T {
    return this.storage.run(inner, beginLazy<W, T>, work, lease);
  }

  /** The work is done. */
  close(inner: Place<L> | undefined, whole: Lease): void {
    // A part that was given back before may be left out of the chain already.
    for (let place = inner; place?.held?.whole === whole; place = place.outer) place.held = undefined;
  }
}

/** A query builder begins when somebody calls `then`: that has to happen inside, too. */
function beginLazy<W, T>(work: (lease: W) => T, lease: W): T {
  const result = work(lease);
  if (typeof result !== 'object' || result === null || result instanceof Promise) return result;
  const { then } = result as { then?: unknown };
  if (typeof then !== 'function') return result;
  return new Promise((resolve, reject) => {
    Reflect.apply(then, result, [resolve, reject]);
  }) as T;
}

function outward<L extends OwnLease<L>>(place: Place<L>): Place<L> | undefined {
  return (place.outer = live(place.outer)); // a chain of runs that plan each other stays short
}

function live<L extends OwnLease<L>>(place: Place<L> | undefined): Place<L> | undefined {
  let at = place;
  while (at && (!at.held || at.held.lease.released)) at = at.outer;
  return at;
}
