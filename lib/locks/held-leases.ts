import { AsyncLocalStorage } from 'node:async_hooks';
import type { Lease } from './lease.js';

/** How a name is locked: alone, together with other readers, or as one of several permits. */
export type LockMode = 'write' | 'read' | 'permits';

/** One name that a call locks, and the lease on it. */
export interface Entry {
  readonly name: string;
  readonly mode: LockMode;
  readonly lease: Lease;
}

/** One entry that the running call works under, and the ones around it. */
export interface Held {
  readonly name: string;
  mode: LockMode;
  lease: Lease;
  /** The lease as the work was given it: of several names, all of them. */
  readonly whole: Lease;
  readonly outer: Held | undefined;
  /** The work under it is done: what still runs does not hold it any more. */
  done: boolean;
  /** Nested entries that run side by side take turns. */
  line: Promise<unknown>;
}

const IDLE: Promise<unknown> = Promise.resolve();

/** Which leases the running call works under. Follows asynchronous calls; one per registration. */
export class HeldLeases {
  private readonly storage = new AsyncLocalStorage<Held | undefined>();

  /** The innermost entry, or the one on `name`. */
  current(name?: string): Held | undefined {
    for (let held = this.storage.getStore(); held; held = held.outer)
      if (!held.done && (name === undefined || held.name === name)) return held;
    return undefined;
  }

  /** The lease on `name`, or the innermost as its work was given it. */
  leaseOf(name?: string): Lease | undefined {
    const held = this.current(name);
    return name === undefined ? held?.whole : held?.lease;
  }

  /** All names that the running call holds. */
  get names(): string[] {
    const names = new Set<string>();
    for (let held = this.storage.getStore(); held; held = held.outer) if (!held.done) names.add(held.name);
    return [...names];
  }

  /** Runs `work` with `lease`, which is made of the leases of `entries`. */
  run<L extends Lease, T>(
    entries: readonly Entry[],
    lease: L,
    work: (lease: L) => T | PromiseLike<T>,
  ): Promise<T> {
    const outer = this.storage.getStore();
    let inner = outer;
    for (const entry of entries)
      inner = {
        name: entry.name,
        mode: entry.mode,
        lease: entry.lease,
        whole: lease,
        outer: inner,
        done: false,
        line: IDLE,
      };
    return this.storage.run(inner, untilDone, inner, outer, lease, work);
  }

  /**
   * Runs `work` with `lease` inside what the call holds already. Siblings (`Promise.all` of two nested entries)
   * run one after another, as they would under the lock.
   */
  enter<L extends Lease, T>(held: Held, lease: L, work: (lease: L) => T | PromiseLike<T>): Promise<T> {
    const turn = held.line.then(() => this.run([held], lease, work));
    held.line = turn.catch(() => undefined);
    return turn;
  }

  /** The running call gave up `lease` for `other`: what it holds under that lease is held in `mode` now. */
  exchange(lease: Lease, other: Lease, mode: LockMode): void {
    for (let held = this.storage.getStore(); held; held = held.outer)
      if (held.lease === lease) {
        held.lease = other;
        held.mode = mode;
      }
  }
}

async function untilDone<L extends Lease, T>(
  inner: Held | undefined,
  outer: Held | undefined,
  lease: L,
  work: (lease: L) => T | PromiseLike<T>,
): Promise<T> {
  try {
    return await work(lease);
  } finally {
    for (let held = inner; held && held !== outer; held = held.outer) held.done = true;
  }
}
