/** What an attempt asks the store for. Spans are milliseconds. */
export interface Terms {
  readonly units: number;
  readonly capacity: number;
  readonly ttl: number;
  /** The server keeps the lease this much longer than we believe in it. */
  readonly guard: number;
  /** Asks once and never queues. */
  readonly once: boolean;
  /** Who that is for people. */
  readonly who: string;
}

/** The longest a command may take: an answer that comes later is no answer. */
export function commandTimeout(ttl: number, waitLeft = Infinity): number {
  return Math.max(1, Math.min(1_000, ttl / 3, waitLeft));
}

/** Milliseconds as the machine's microseconds; for ever becomes ten years. */
export function micros(ms: number): number {
  return Math.round(Math.min(ms, 315_360_000_000) * 1_000);
}
