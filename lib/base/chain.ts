/** A member of a Chain. Only the chain sets these. */
export class Link<T> {
  /** Whether it is in a chain. */
  linked = false;
  before: T | undefined = undefined;
  after: T | undefined = undefined;
}

/**
 * A linked list whose members can leave from anywhere at no cost. Members come and go with every lease, and a Set or Map
 * would leak: when V8 rebuilds the table of a Map, the old table refers to the new one, so an old table keeps alive
 * everything in the later ones until the next full garbage collection.
 */
export class Chain<T extends Link<T>> {
  first: T | undefined;
  size = 0;
  private last: T | undefined;

  add(member: T): void {
    member.linked = true;
    member.before = this.last;
    if (this.last) this.last.after = member;
    else this.first = member;
    this.last = member;
    this.size += 1;
  }

  /** Takes a member out. Returns false, and changes nothing, when it is in no chain; it must not be in another one. */
  remove(member: T): boolean {
    if (!member.linked) return false;
    member.linked = false;
    const { before, after } = member;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    member.before = member.after = undefined;
    this.size -= 1;
    return true;
  }
}
