/** Which rounds are wanted. */
export interface Choice {
  readonly rounds: number;
  readonly only: string;
  /** A part that takes less than three minutes. */
  readonly quick: boolean;
}
