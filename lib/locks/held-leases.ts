import { AsyncLocalStorage } from 'node:async_hooks';
import { LockBusyError } from '../base/lock-busy-error.js';
import { LockLostError } from '../base/lock-lost-error.js';
import type { Lease } from './lease.js';
import { Turns, type Patience } from './turns.js';

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
  whole: Lease;
  readonly outer: Held | undefined;
  /** The work under it is done: what still runs does not hold it any more. */
  done: boolean;
  /** Nested entries that run side by side take turns; none before the first. */
  turns: Turns | undefined;
}

/** What was to be entered is not held any more, or not in the same way: look again. */
export const OVER = Symbol('over');

/** Which leases the running call works under. Follows asynchronous calls; one per registration. */
export class HeldLeases {
  private readonly storage = new AsyncLocalStorage<Held | undefined>();

  /** The innermost entry, or the one on `name`. */
  current(name?: string): Held | undefined {
    for (let held = this.storage.getStore(); held; held = held.outer)
      if ((name === undefined || held.name === name) && !isOver(held)) return held;
    return undefined;
  }

  /** The lease on `name`, or the innermost as its work was given it. */
  leaseOf(name?: string): Lease | undefined {
    const held = this.current(name);
    return name === undefined ? held?.whole : held?.lease;
  }

  /** All names that a call holds which runs under `innermost`. */
  namesFrom(innermost: Held | undefined): string[] {
    const names = new Set<string>();
    for (let held = innermost; held; held = held.outer) if (!isOver(held)) names.add(held.name);
    return [...names];
  }

  /** Where work may run with `lease`, which is made of the leases of `entries`. It is to be closed when that is done. */
  open(entries: readonly Entry[], lease: Lease): Held | undefined {
    let inner = this.storage.getStore();
    for (const { name, mode, lease: own } of entries)
      inner = { name, mode, lease: own, whole: lease, outer: inner, done: false, turns: undefined };
    return inner;
  }

  /** Begins `work` there. What it returns is returned as it is: every entry comes through here, and each promise counts. */
  begin<L, T>(inner: Held | undefined, lease: L, work: (lease: L) => T): T {
    return this.storage.run(inner, work, lease);
  }

  /** The work is done: what still runs does not hold it any more. */
  close(inner: Held | undefined, entries: readonly Entry[]): void {
    let held = inner;
    for (let left = entries.length; held && left > 0; held = held.outer, left -= 1) held.done = true;
  }

  /**
   * Runs `work` with `lease` inside what the call holds already. Siblings (`Promise.all` of two nested entries)
   * run one after another, as they would under the lock. {@link OVER} when that is not held any more.
   *
   * @throws LockBusyError when a sibling works for longer than patience lasts
   * @throws LockLostError when the lease was lost
   */
  async enter<L extends Lease, T>(
    all: readonly Held[],
    lease: L,
    work: (lease: L) => T | PromiseLike<T>,
    patience: Patience,
  ): Promise<T | typeof OVER> {
    const before = all.map(({ mode }) => mode);
    const ends: (() => void)[] = [];
    try {
      for (const held of all) ends.push(await this.turnOf(held, patience));
      if (all.some((held, index) => isOver(held) || held.mode !== before[index])) return OVER;
      lease.assertHeld();
      const inner = this.open(all, lease);
      ends.push(() => this.close(inner, all));
      return await this.begin(inner, lease, work);
    } finally {
      for (const end of ends) end();
    }
  }

  private async turnOf(held: Held, patience: Patience): Promise<() => void> {
    const { name } = held;
    try {
      return await (held.turns ??= new Turns(name)).take(patience);
    } catch (error) {
      const others = this.namesFrom(this.storage.getStore()).filter((each) => each !== name);
      const crossed = others.length > 0 && error instanceof LockBusyError && error.reason === 'timeout';
      throw crossed ? error.whileHolding(others) : error;
    }
  }

  /** The running call gave up `lease` for `other`: what it holds under that lease is held in `mode` now. */
  exchange(lease: Lease, other: Lease, mode: LockMode): void {
    for (let held = this.storage.getStore(); held; held = held.outer) {
      if (held.whole === lease) held.whole = other;
      if (held.lease !== lease) continue;
      held.lease = other;
      held.mode = mode;
    }
  }
}

/** Done, or given back by the work itself. One that was lost is not over: its work has to learn of the loss. */
function isOver({ done, lease }: Held): boolean {
  return done || (!lease.held && wasReleased(lease));
}

function wasReleased(lease: Lease): boolean {
  try {
    lease.assertHeld();
    return false;
  } catch (error) {
    return error instanceof LockLostError && error.reason === 'released';
  }
}
