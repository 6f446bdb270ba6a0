import { Chain } from '../base/chain.js';
import type { Caller } from './caller.js';

/** What tells one kind of hold of a name from another. */
export interface Share {
  readonly units: number;
  readonly capacity: number;
}

/**
 * The callers of one name in this process, first come first served. Any of them may leave at any time: nothing here
 * takes longer when ten thousand stand in it.
 */
export class CallerQueue extends Chain<Caller> {
  /** The first who wants `share`; with `onlyOnce` the first who asks once. */
  firstFor(share: Share, onlyOnce = false): Caller | undefined {
    for (let caller = this.first; caller; caller = caller.after)
      if (sameShare(caller.request.terms, share) && (!onlyOnce || caller.request.wait === 0)) return caller;
    return undefined;
  }

  /** Who may have an exclusive hold without asking the store: the first, if that is what it wants. */
  heirOf(share: Share): Caller | undefined {
    const { first } = this;
    return first && exclusive(share) && sameShare(first.request.terms, share) ? first : undefined;
  }

  /** The longest that anybody waits for `share`, in milliseconds. */
  waitLeft(share: Share): number {
    let most = 0;
    for (let caller = this.first; caller; caller = caller.after)
      if (sameShare(caller.request.terms, share)) most = Math.max(most, caller.waitLeft);
    return most;
  }
}

/** Whether a hold of one share is a hold of the other. */
export function sameShare(one: Share, other: Share): boolean {
  return one.units === other.units && one.capacity === other.capacity;
}

/** Whether a share excludes every other. */
export function exclusive({ units, capacity }: Share): boolean {
  return units === capacity;
}
