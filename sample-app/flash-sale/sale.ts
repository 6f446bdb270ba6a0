export interface Sale {
  readonly sku: string;
  /** How many items were put on sale. */
  readonly offered: number;
  /** How many are left, if the row can be believed. */
  readonly stock: number;
  /** How many were promised to buyers. */
  readonly sold: number;
  /** How many were promised and do not exist. */
  readonly oversold: number;
}
