/** What stands in a Chain, which alone sets these. */
export class Link<T> {
  /** Whether it stands in one. */
  linked = false;
  before: T | undefined = undefined;
  after: T | undefined = undefined;
}
