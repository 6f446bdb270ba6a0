/** A time in which a process was at work on an item. Times are milliseconds since 1970, with fractions. */
export interface Span {
  readonly from: number;
  /** Undefined while it lasts. */
  readonly to?: number;
}

/** What a process did with one item since its last report. */
export interface ItemReport {
  /** When it held the lock of the item (or, without the lock, when at least one order was between read and write). */
  readonly spans: readonly Span[];
  /** Calls that wait for the lock now. */
  readonly waiting: number;
  /** Orders that are between read and write now. */
  readonly inside: number;
  /** How often the lock was granted to this process since it started. */
  readonly grants: number;
  /** The last of these fences; 0 before the first. */
  readonly fence: number;
}

/** What a process of the sale tells the process that started it. */
export type ProcessMessage =
  /** It listens. */
  | { readonly url: string }
  /** `lag`: by how much its event loop was late at most since the last report, in milliseconds. */
  | {
      readonly report: {
        readonly at: number;
        readonly items: Readonly<Record<string, ItemReport>>;
        readonly lag: number;
      };
    }
  /** It stops itself now, between decide and write, and is back after `ms`. */
  | { readonly frozen: { readonly at: number; readonly ms: number; readonly fence: number } }
  | { readonly woke: { readonly at: number; readonly fence: number } }
  /** The database refused its write: the row had a larger fence already. */
  | { readonly refused: { readonly at: number; readonly fence: number; readonly rowFence: number } };

/** What it is told: freeze for so many milliseconds between decide and write of the next order; 0 takes that back. */
export interface ProcessCommand {
  readonly freeze: number;
}
