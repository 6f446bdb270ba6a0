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

export const SIMULATION = ['test/proof/simulation/mutex.spec.ts'] as const;
export const MACHINE = [
  'test/unit/store/lock-machine.spec.ts',
  'test/unit/store/memory/memory-store.spec.ts',
] as const;
export const SCRIPTS = ['test/redis/redis-store.spec.ts'] as const;
export const FORGED = ['test/redis/forged-notices.spec.ts'] as const;
export const UNSURE = ['test/unit/line/unsure-answers.spec.ts'] as const;
export const ATTEMPT = ['test/unit/line/attempt.spec.ts'] as const;
export const HOLD = ['test/unit/line/hold.spec.ts'] as const;
export const LINE = ['test/unit/line/line.spec.ts'] as const;
export const LINGERING = ['test/unit/line/lingering.spec.ts'] as const;
export const DEADLOCK = ['test/unit/locks/deadlock.spec.ts'] as const;
export const TAKE_OVER = ['test/unit/line/take-over.spec.ts'] as const;
export const NATIVE_SIMULATION = ['test/proof/simulation/native.spec.ts'] as const;
export const NATIVE = ['test/redis/native-path.spec.ts'] as const;
