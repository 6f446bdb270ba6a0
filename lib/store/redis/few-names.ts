// When there are more, all are forgotten, which costs each of them one slower command.
const MOST = 1_000;

/** Names that are in a state which few are in, and not for long. */
export class FewNames {
  private readonly names = new Set<string>();

  has(name: string): boolean {
    return this.names.has(name);
  }

  add(name: string): void {
    if (this.names.size >= MOST) this.names.clear();
    this.names.add(name);
  }

  delete(name: string): void {
    this.names.delete(name);
  }
}
