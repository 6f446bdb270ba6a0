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
}

export interface ClaimTerms {
  readonly ttl: number;
  readonly wait: number;
  readonly renew: boolean;
  readonly signal: AbortSignal;
}

/** A lock library under test: ours, or one of the positive controls. */
export interface Contender {
  acquire(name: string, terms: ClaimTerms): Promise<Claim>;
  close(): Promise<void>;
}
