export interface Order {
  readonly id: string;
  readonly sku: string;
  readonly buyer: string;
  readonly quantity: number;
  /** The fencing token under which it was written; null without the lock. */
  readonly fence: number | null;
  /** The process that sold it. */
  readonly servedBy: string;
}
