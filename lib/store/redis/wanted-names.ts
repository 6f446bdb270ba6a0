// When there are more names, all are forgotten, which costs each of them one slower hand-off.
const MOST = 1_000;

/** The names whose last release handed the lock off: others have waited for them, and may do so again. */
export class WantedNames {
  private readonly names = new Set<string>();

  has(name: string): boolean {
    return this.names.has(name);
  }

  /** Learns from the reply to a release, which is -now when a waiter has the lock now. */
  learn(name: string, reply: unknown): void {
    if (!(Number(reply) < 0)) return void this.names.delete(name);
    if (this.names.size >= MOST) this.names.clear();
    this.names.add(name);
  }
}
