import { LockUsageError } from '../base/errors.js';
import { checkEntry, enter, type LockContext, type NamedLease, type ReleaseTerms } from './lease-handle.js';
import type { EntryOptions, Lease } from './lease.js';

/** One lease on several names: held while all of its parts are. */
export class LeaseBundle implements Lease {
  private combined: AbortSignal | undefined;

  constructor(
    readonly parts: readonly NamedLease[],
    readonly context: LockContext,
  ) {}

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
    const part = this.partOn(name);
    if (part) return part.fence;
    throw new LockUsageError(`This lease is on '${this.names.join("', '")}', not on '${name}'.`, name);
  }

  /** The lease on one of its names. */
  partOn(name: string): NamedLease | undefined {
    return this.parts.find((part) => part.name === name);
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

  async using<T>(work: (lease: Lease) => T | PromiseLike<T>, options: EntryOptions = {}): Promise<T> {
    checkEntry(work, options, this.names[0] ?? '');
    const { context } = this;
    const plans = this.parts.map((lease) => ({ lease, mode: lease.now.mode }));
    return enter(context, plans, (entered) => new LeaseBundle(entered, context), work, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    void this.release();
    return Promise.resolve();
  }
}
