import { LockUsageError } from '../base/lock-usage-error.js';
import type { ReleaseTerms } from '../line/tenure.js';
import type { Lease } from './lease.js';

/** A lease, as this library gives it back: its units may be kept for a while. */
export interface GivableLease extends Lease {
  release(terms?: ReleaseTerms): Promise<'released' | 'expired'>;
}

/** One lease on several names: held while all of its parts are. */
export class LeaseBundle implements Lease {
  private combined: AbortSignal | undefined;

  constructor(readonly parts: readonly GivableLease[]) {}

  get names(): readonly string[] {
    return this.parts.flatMap(({ names }) => names);
  }

  get fence(): number {
    const [only] = this.parts;
    if (only && this.parts.length === 1) return only.fence;
    throw new LockUsageError(
      `This lease has ${this.parts.length} names and a fence for each: use fenceOf(name).`,
    );
  }

  fenceOf(name: string): number {
    const part = this.parts.find(({ names }) => names.includes(name));
    if (part) return part.fenceOf(name);
    throw new LockUsageError(`This lease is on '${this.names.join("', '")}', not on '${name}'.`, name);
  }

  get signal(): AbortSignal {
    return (this.combined ??= AbortSignal.any(this.parts.map(({ signal }) => signal)));
  }

  get held(): boolean {
    return this.parts.every(({ held }) => held);
  }

  get remaining(): number {
    return Math.min(...this.parts.map(({ remaining }) => remaining));
  }

  assertHeld(): void {
    for (const part of this.parts) part.assertHeld();
  }

  async renew(ttl?: number): Promise<void> {
    await Promise.all(this.parts.map((part) => part.renew(ttl)));
  }

  async release(terms?: ReleaseTerms): Promise<'released' | 'expired'> {
    const answers = await Promise.all(this.parts.map((part) => part.release(terms)));
    return answers.includes('expired') ? 'expired' : 'released';
  }

  [Symbol.asyncDispose](): Promise<void> {
    void this.release();
    return Promise.resolve();
  }
}
