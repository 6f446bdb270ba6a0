import type { Clock } from '../base/clock.js';
import { LockBusyError, type LockBusyReason } from '../base/lock-busy-error.js';

/** How long a nested entry waits for its siblings. */
export interface Patience {
  readonly wait: number;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
}

/** Nested entries of one hold that run side by side take turns, in the order in which they came. */
export class Turns {
  private taken = false;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly name: string) {}

  /** Resolves with what ends the turn. Rejects with LockBusyError, since siblings may wait for each other, too. */
  take({ wait, signal, clock }: Patience): Promise<() => void> {
    const end = (): void => this.next();
    const since = clock.now();
    return new Promise((resolve, reject) => {
      if (!this.taken) {
        this.taken = true;
        return resolve(end);
      }
      const leave = (reason: LockBusyReason): void => {
        finish();
        reject(this.busy(reason, Math.round(clock.now() - since), signal));
      };
      const abort = (): void => leave('aborted');
      const cancel = wait > 0 && wait < Infinity ? clock.after(wait, () => leave('timeout')) : undefined;
      const finish = (): void => {
        cancel?.();
        signal?.removeEventListener('abort', abort);
        this.waiting.delete(serve);
      };
      const serve = (): void => {
        finish();
        resolve(end);
      };
      this.waiting.add(serve);
      signal?.addEventListener('abort', abort);
      if (signal?.aborted) abort();
      else if (wait === 0) leave('held');
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
      `The running call holds '${this.name}', but another nested entry of it works under it; ` +
        `it did not end within ${waited} ms.`,
      this.name,
      { reason, waited, ...cause },
    );
  }
}
