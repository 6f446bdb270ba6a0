const SMALLEST = 0.001;
const STEP = 1.05;

/** How long callers waited, in milliseconds: counts in steps of five per cent, and the longest exactly. */
export class Waits {
  constructor(
    private readonly counts: number[] = [],
    public longest = 0,
  ) {}

  add(ms: number): void {
    const step = Math.max(0, Math.ceil(Math.log(ms / SMALLEST) / Math.log(STEP)));
    this.counts[step] = (this.counts[step] ?? 0) + 1;
    if (ms > this.longest) this.longest = ms;
  }

  /** The wait that `share` of the callers did not exceed. */
  quantile(share: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (const [step, count] of this.counts.entries()) {
      seen += count ?? 0;
      if (count && seen >= total * share) return SMALLEST * STEP ** step;
    }
    return NaN;
  }

  get plain(): { counts: number[]; longest: number } {
    return { counts: Array.from(this.counts, (count) => count ?? 0), longest: this.longest };
  }

  static sum(parts: readonly { counts: number[]; longest: number }[]): Waits {
    const counts: number[] = [];
    for (const part of parts)
      part.counts.forEach((count, step) => (counts[step] = (counts[step] ?? 0) + count));
    return new Waits(counts, Math.max(0, ...parts.map(({ longest }) => longest)));
  }
}
