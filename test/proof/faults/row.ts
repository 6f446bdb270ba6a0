import type { Bed } from './harness/bed.js';

/** One row of the matrix of faults: injects it, and says what must be true. */
export interface Row {
  /** Its number in docs/guarantees.md. */
  readonly number: number;
  readonly fault: string;
  run(bed: Bed): Promise<void>;
}
