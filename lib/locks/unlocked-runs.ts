import type { CancelTimer, Clock } from '../base/clock.js';
import type { LockStoreError } from '../base/errors.js';
import { type LockLog, warn } from './lock-log.js';

// An outage of the store concerns every call, and the log is for people.
const MOST = 10;
const WINDOW = 1_000;

/** Logs each run of work without its lock (`onStoreError: 'run'`): the first ones of a second in full, the others as a count. */
export class UnlockedRuns {
  private windowBegan = -Infinity;
  private said = 0;
  private unsaid = 0;
  private cancelSummary: CancelTimer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: LockLog,
  ) {}

  /** Work on `names` is about to run without the lock. It never throws, whatever the log does. */
  run(names: readonly string[], { message }: LockStoreError, place = 'A call'): void {
    const now = this.clock.now();
    if (now - this.windowBegan >= WINDOW && !this.cancelSummary) {
      this.windowBegan = now;
      this.said = 0;
    }
    if (this.said < MOST) {
      this.said += 1;
      const text = `${place} runs without the lock '${names.join("', '")}' (onStoreError: 'run'): ${message}`;
      warn(this.log, 'unlocked-run', text, { lock: names.join(', '), place });
      return;
    }
    this.unsaid += 1;
    this.cancelSummary ??= this.clock.after(this.windowBegan + WINDOW - now, () => this.summarize());
  }

  /** Logs the summary that is still due. */
  close(): void {
    if (this.cancelSummary) this.summarize();
  }

  private summarize(): void {
    this.cancelSummary?.();
    this.cancelSummary = undefined;
    const { unsaid } = this;
    this.unsaid = 0;
    const text = `${unsaid} more calls ran without their locks within a second (onStoreError: 'run').`;
    warn(this.log, 'unlocked-runs', text, { count: unsaid });
  }
}
