/** What stands in a Chain, which alone sets these. */
export class Link<T> {
  /** Whether it stands in one. */
  linked = false;
  before: T | undefined = undefined;
  after: T | undefined = undefined;
}

/**
 * A list whose members may leave from anywhere at no cost. Members come and go with every lease, and a Set or Map
 * would not do for them: when V8 makes the table of one anew, the old table refers to the next, so that one that grew
 * old keeps alive whatever was in all that came after it, until the next full collection.
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

  /** Takes a member out; it stands in this chain, or in none: then false, and nothing changes. */
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
