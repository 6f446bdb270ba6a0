/** A point that a test opens, and that others wait for. */
export class Gate {
  readonly opened: Promise<void>;
  open!: () => void;

  constructor() {
    this.opened = new Promise((resolve) => (this.open = resolve));
  }
}

/** Counts who is inside at once. */
export class Room {
  inside = 0;
  most = 0;

  enter(): void {
    this.inside += 1;
    this.most = Math.max(this.most, this.inside);
  }

  leave(): void {
    this.inside -= 1;
  }

  /** Stays for `ms`. */
  async stay(ms = 1): Promise<void> {
    this.enter();
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.leave();
  }
}
