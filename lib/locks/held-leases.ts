import { AsyncLocalStorage } from 'node:async_hooks';
import type { Lease } from './lease.js';

/** How a name is locked: alone, together with other readers, or as one of several permits. */
export type LockMode = 'write' | 'read' | 'permits';

/** One lease that the running call works under, and the ones around it. */
export interface Held {
  readonly name: string;
  readonly mode: LockMode;
  readonly lease: Lease;
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

  /** The innermost lease, or the one on `name`. */
  current(name?: string): Held | undefined {
    for (let held = this.storage.getStore(); held; held = held.outer)
      if (!held.done && (name === undefined || held.name === name)) return held;
    return undefined;
  }

  /** Runs `work` with `lease` as the lease on each of `names`. */
  run<L extends Lease, T>(
    names: readonly string[],
    mode: LockMode,
    lease: L,
    work: (lease: L) => T | PromiseLike<T>,
  ): Promise<T> {
    const outer = this.storage.getStore();
    let inner = outer;
    for (const name of names) inner = { name, mode, lease, outer: inner, done: false, line: IDLE };
    return this.storage.run(inner, untilDone, inner, outer, lease, work);
  }

  /**
   * Runs `work` inside a lease that the call holds already. Siblings (`Promise.all` of two nested entries) run
   * one after another, as they would under the lock.
   */
  enter<T>(held: Held, work: (lease: Lease) => T | PromiseLike<T>): Promise<T> {
    const { name, mode, lease } = held;
    const turn = held.line.then(() => this.run([name], mode, lease, work));
    held.line = turn.catch(() => undefined);
    return turn;
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
