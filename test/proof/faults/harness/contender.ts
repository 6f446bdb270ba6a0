import type { Kind } from './history.js';

/** What a contender says it holds. */
export interface Claim {
  readonly fence?: number;
  held(): boolean;
  /** For how many more milliseconds it says so; 0 when it cannot tell. */
  remaining(): number;
  /** Throws when it is not held. */
  assertHeld(): void;
  onLoss(listener: (reason: string) => void): void;
  renew(): Promise<void>;
  release(): Promise<string>;
  /** Runs `work` inside, by the handle or by the context of an entry. Only our own library lets anybody in. */
  enter?(by: EntryWay, work: (entered: Claim) => Promise<void>): Promise<void>;
  /** Goes on as a reader; only of a writer. */
  downgrade?(): Promise<Claim>;
  /** Ends here and goes on wherever somebody resumes the text, within `ttl` milliseconds. Only of our own library. */
  handOver?(ttl: number): Promise<string>;
  /** Leaves a text for later holders. */
  note?(text: string): Promise<void>;
  /** What the last one was that had left a text when this was granted. */
  previous?(): string | undefined;
}

/** How nested work comes in: by the lease that it is handed, or by its async context (`reentrant: true`). */
export type EntryWay = 'handle' | 'context';

/** What is asked for, when it is not a mutex. */
export interface Share {
  readonly kind: Exclude<Kind, 'mutex'>;
  readonly units: number;
  readonly capacity: number;
}

const WHOLE = 2 ** 30;
export const READER: Share = { kind: 'read', units: 1, capacity: WHOLE };
export const WRITER: Share = { kind: 'write', units: WHOLE, capacity: WHOLE };

export interface ClaimTerms {
  readonly ttl: number;
  readonly wait: number;
  readonly renew: boolean;
  /** For how long the process may keep it after the release; only our own library knows that. */
  readonly linger?: number;
  readonly signal: AbortSignal;
  /** Only our own library has other kinds. */
  readonly share?: Share;
}

/** A lock library under test: ours, or one of the positive controls. */
export interface Contender {
  /** Looks at the server at the start, where the library does. */
  ready?(): Promise<unknown>;
  acquire(name: string, terms: ClaimTerms): Promise<Claim>;
  /** Goes on with what was handed over. */
  resume?(text: string, wait: number): Promise<Claim>;
  close(): Promise<void>;
}
