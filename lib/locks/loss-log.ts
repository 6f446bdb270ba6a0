import { wallTime, type CancelTimer, type Clock } from '../base/clock.js';
import type { LockLostReason } from '../base/errors.js';
import type { LineLease } from '../line/line-lease.js';
import type { LockStore } from '../store/lock-store.js';
import { type LockLog, warn } from './lock-log.js';
import type { LockRecorder } from './recorder.js';

// A failover may lose a thousand leases at once, and the log is for people.
const MOST = 10;
const WINDOW = 1_000;
const READ_TIMEOUT = 500;

/** Logs lost leases: one line for each; when there are too many at once, only how many there were. */
export class LossLog {
  private windowBegan = -Infinity;
  private said = 0;
  private readonly unsaid = new Map<LockLostReason, number>();
  private cancelSummary: CancelTimer | undefined;

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
    private readonly log: LockLog,
    private readonly recorder?: LockRecorder,
  ) {}

  /** Called by the line when a lease was lost. It never throws, whatever the log does. */
  readonly lost = (lease: LineLease, reason: LockLostReason): void => {
    const now = this.clock.now();
    if (now - this.windowBegan >= WINDOW && !this.cancelSummary) {
      this.windowBegan = now;
      this.said = 0;
    }
    if (this.said < MOST) {
      this.said += 1;
      void this.say(lease, reason).catch(() => undefined);
      return;
    }
    this.unsaid.set(reason, (this.unsaid.get(reason) ?? 0) + 1);
    this.cancelSummary ??= this.clock.after(this.windowBegan + WINDOW - now, () => this.summarize());
  };

  /** Logs the summary that is still due. */
  close(): void {
    if (this.cancelSummary) this.summarize();
  }

  private async say(lease: LineLease, reason: LockLostReason): Promise<void> {
    const since = new Date(wallTime() - lease.age).toISOString();
    const text = `${lease.lossText(reason)} It was held by ${lease.identity} since ${since}.`;
    const { name: lock, fence, identity: holder, heldFor } = lease;
    const { revokeReason } = lease.hold;
    const why = revokeReason ? `${reason}: ${revokeReason}` : reason;
    const recording = this.recorder?.text(lock); // before what follows from the loss
    const message = `${text}${await this.epilogue(lease, reason)}`;
    const fields = { lock, fence, reason: why, holder, heldFor };
    warn(this.log, 'lost', message, recording === undefined ? fields : { ...fields, recording });
  }

  /** What follows from the loss, or who has the lock now, as far as the store knows. */
  private async epilogue(lease: LineLease, reason: LockLostReason): Promise<string> {
    if (reason === 'closed')
      return ' Its work was still running: raise shutdownGrace, or let the work end when its lease is lost.';
    if (reason !== 'taken' && reason !== 'expired') return '';
    const { name, hold } = lease;
    const reading = await this.store.read(name, READ_TIMEOUT).catch(() => undefined);
    if (!reading) return ' Who has the lock now is not known: the store did not answer.';
    const { state, now } = reading;
    const others = state.holders.filter(({ id, deadline }) => id !== hold.id && deadline > now);
    return others.length === 0
      ? ' Nobody else has the lock now.'
      : ` Now it is held by ${others.map(({ identity, first }) => `${identity} (fence ${first})`).join(', ')}.`;
  }

  private summarize(): void {
    this.cancelSummary?.();
    this.cancelSummary = undefined;
    const reasons = [...this.unsaid].map(([reason, count]) => `${count} × ${reason}`);
    const count = [...this.unsaid.values()].reduce((sum, each) => sum + each, 0);
    this.unsaid.clear();
    const message = `${count} more leases were lost within a second: ${reasons.join(', ')}.`;
    warn(this.log, 'losses', message, { count });
  }
}
