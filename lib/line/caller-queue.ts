import type { Caller } from './caller.js';

/** What tells one kind of hold of a name from another. */
interface Share {
  readonly units: number;
  readonly capacity: number;
}

/** The callers of one name in this process, first come first served. Any of them may leave. */
export class CallerQueue {
  private readonly callers = new Set<Caller>();

  get size(): number {
    return this.callers.size;
  }

  get first(): Caller | undefined {
    for (const caller of this.callers) return caller;
    return undefined;
  }

  [Symbol.iterator](): Iterator<Caller> {
    return this.callers.values();
  }

  add(caller: Caller): void {
    this.callers.add(caller);
  }

  /** Whether it stood here. */
  remove(caller: Caller): boolean {
    return this.callers.delete(caller);
  }

  /** The first who wants `share`; with `onlyOnce` the first who asks once. */
  firstFor(share: Share, onlyOnce = false): Caller | undefined {
    for (const caller of this.callers)
      if (fits(caller, share) && (!onlyOnce || caller.request.wait === 0)) return caller;
    return undefined;
  }

  /** The longest that anybody waits for `share`, in milliseconds. */
  waitLeft(share: Share): number {
    let most = 0;
    for (const caller of this.callers) if (fits(caller, share)) most = Math.max(most, caller.waitLeft);
    return most;
  }
}

/** Whether a hold of `share` is what the caller asks for. */
export function fits(caller: Caller, { units, capacity }: Share): boolean {
  const { terms } = caller.request;
  return terms.units === units && terms.capacity === capacity;
}

/** Whether a share excludes every other. */
export function exclusive({ units, capacity }: Share): boolean {
  return units === capacity;
}
