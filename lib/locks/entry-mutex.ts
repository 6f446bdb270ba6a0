import { LockBusyError, type LockBusyReason, type LockLostError } from '../base/errors.js';
import { Wait, type Waiting } from '../line/wait.js';

/** How long an entry waits for its siblings. */
export interface EntryTimeout {
  readonly wait: number;
  readonly signal: AbortSignal | undefined;
}

/** What tells of the loss of a lease. */
export interface Loss {
  readonly loss: LockLostError | undefined;
  onLoss(listener: () => void): () => void;
}

/** Lets the entries of one lease work one at a time, in the order in which they came. */
export class EntryMutex {
  private taken = false;
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly name: string,
    private readonly waits: Waiting,
  ) {}

  /** Whether an entry works now. */
  get locked(): boolean {
    return this.taken;
  }

  /**
   * Resolves with the function that unlocks it. Rejects with LockBusyError at the timeout, since entries may wait for each
   * other, and with the loss of the lease, since the entry that works may never end.
   */
  lock({ wait, signal }: EntryTimeout, loss: Loss): Promise<() => void> {
    const { clock } = this.waits;
    const end = (): void => this.next();
    const since = clock.now();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(this.busy('aborted', 0, signal));
      if (!this.taken) {
        this.taken = true;
        return resolve(end);
      }
      // The lease may have been lost while the call waited for its turn under another one.
      if (loss.loss) return reject(loss.loss);
      if (wait === 0) return reject(this.busy('held', 0, signal));
      const gaveUp = (reason: LockBusyReason): void => {
        finish();
        reject(this.busy(reason, Math.round(clock.now() - since), signal));
      };
      const watch = new Wait(this.waits, since + wait, signal, true, { gaveUp });
      this.waits.keep();
      const forget = loss.onLoss(() => {
        if (!loss.loss) return;
        finish();
        reject(loss.loss);
      });
      const finish = (): void => {
        watch.end();
        forget();
        this.waiting.delete(serve);
      };
      const serve = (): void => {
        finish();
        resolve(end);
      };
      this.waiting.add(serve);
    });
  }

  private next(): void {
    const [first] = this.waiting;
    if (first) first();
    else this.taken = false;
  }

  private busy(reason: LockBusyReason, waited: number, signal: AbortSignal | undefined): LockBusyError {
    const cause = reason === 'aborted' ? { cause: signal?.reason as unknown } : {};
    return new LockBusyError(
      `Another entry works under the lease of '${this.name}' and did not end within ${waited} ms. Entries through ` +
        'one lease take turns; a call from inside an entry enters through the lease that this entry was given.',
      this.name,
      { reason, waited, ...cause },
    );
  }
}
