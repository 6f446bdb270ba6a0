/** A bug put into a copy of the tree, and who must notice. */
export interface Mutant {
  /** What the bug is, in the words of docs/guarantees.md. */
  readonly bug: string;
  readonly file: string;
  /** This text, which stands in the file once, becomes the other. */
  readonly text: string;
  readonly becomes: string;
  /** The specs of which at least one test must fail, and which of their tests run. */
  readonly specs: readonly string[];
  readonly tests?: string;
}

export const SIMULATION = ['test/simulation/mutex.spec.ts'] as const;
export const MACHINE = ['test/store/lock-machine.spec.ts', 'test/store/memory-store.spec.ts'] as const;
export const SCRIPTS = ['test/store/redis-store.spec.ts'] as const;
export const FORGED = ['test/line/forged-notices.spec.ts'] as const;
export const UNSURE = ['test/line/unsure-answers.spec.ts'] as const;
