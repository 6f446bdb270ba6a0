import type { CancelTimer, Clock } from '../base/clock.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { milliseconds } from '../base/duration.js';
import type { ReleaseTerms, Tenure } from '../line/tenure.js';
import type { Lease } from './lease.js';
import { TTL } from './lock-settings.js';

/** The lease of one name that a user holds. */
export class LeaseHandle implements Lease {
  private controller: AbortController | undefined;
  private cancelTimer: CancelTimer | undefined;

  constructor(
    protected readonly tenure: Tenure,
    protected readonly clock: Clock,
  ) {}

  get names(): readonly string[] {
    return [this.tenure.name];
  }

  get fence(): number {
    return this.tenure.fence;
  }

  fenceOf(name: string): number {
    if (name === this.tenure.name) return this.tenure.fence;
    throw new LockUsageError(`This lease is on '${this.tenure.name}', not on '${name}'.`, name);
  }

  get held(): boolean {
    return this.tenure.over === undefined;
  }

  get remaining(): number {
    return this.tenure.remaining;
  }

  get signal(): AbortSignal {
    if (this.controller) return this.controller.signal;
    const controller = (this.controller = new AbortController());
    if (this.tenure.over === undefined) {
      this.tenure.onLoss(() => this.abortWhenLost());
      this.watch();
    } else this.abortWhenLost();
    return controller.signal;
  }

  assertHeld(): void {
    const over = this.tenure.over;
    if (over !== undefined) throw this.tenure.lostError(over);
  }

  async renew(ttl?: number): Promise<void> {
    this.assertHeld();
    await this.tenure.renew(ttl === undefined ? undefined : milliseconds(ttl, TTL));
    this.assertHeld();
  }

  /** Whether the work of this name was done before (run once). */
  get workDone(): boolean {
    return this.tenure.hold.workDone;
  }

  release(terms?: ReleaseTerms): Promise<'released' | 'expired'> {
    this.cancelTimer?.();
    return this.tenure.release(terms);
  }

  /** Sends the release and does not await its answer. */
  [Symbol.asyncDispose](): Promise<void> {
    void this.release();
    return Promise.resolve();
  }

  /** The deadline may move: looks again when it was to pass. */
  private watch(): void {
    this.cancelTimer = this.clock.after(this.tenure.remaining, () => {
      if (this.tenure.over === undefined) this.watch();
      else this.abortWhenLost();
    });
  }

  private abortWhenLost(): void {
    this.cancelTimer?.();
    const { loss } = this.tenure;
    if (loss) this.controller?.abort(loss);
  }
}
