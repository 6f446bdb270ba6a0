/** How a caller waits for a latch to open. Latches have no lines: each caller asks the store by itself. */
import type { CancelTimer } from '../base/clock.js';
import { LockBusyError, type LockError, type LockStoreError, LockUsageError } from '../base/errors.js';
import type { LatchAnswer } from '../store/latch-machine.js';
import type { LockNotice } from '../store/lock-operation.js';
import { newAttemptId } from '../store/session-id.js';
import { commandTimeout } from '../store/server-clock.js';
import type { LineSetup } from './line-setup.js';
import { publishStoreError } from './lock-channels.js';
import { Wait, type Waiter } from './wait.js';

const SIGN_OF_LIFE_EVERY = 5_000;
const UNHEARD_POLL = 100;

/** Waits for a latch to open: listens for the notice, and also asks now and then, so that a lost notice only costs time. */
export class LatchWait implements Waiter {
  readonly id: string;
  readonly opened: Promise<void>;
  private settle!: (error?: LockError) => void;
  private readonly since: number;
  private asking = false;
  private askAgain = false;
  private over = false;
  private lastError: LockStoreError | undefined;
  private cancelPoll: CancelTimer | undefined;
  private until: Wait | undefined;

  constructor(
    private readonly setup: LineSetup,
    readonly name: string,
    /** The round that is meant; '' for the current one. */
    private readonly round: string,
    private readonly wait: number,
    private readonly signal: AbortSignal | undefined,
    /** Called once, when it is over. */
    private readonly onEnd: (wait: LatchWait) => void,
  ) {
    const { store, clock } = setup;
    this.id = newAttemptId(store.session);
    this.since = clock.now();
    this.opened = new Promise((resolve, reject) => {
      this.settle = (error) => (error ? reject(error) : resolve());
    });
  }

  /** Asks for the first time. */
  begin(): void {
    if (this.signal?.aborted) return this.abort();
    const { store, waiting } = this.setup;
    const deadline = this.wait > 0 ? this.since + this.wait : Infinity;
    this.until = new Wait(waiting, deadline, this.signal, true, this);
    waiting.keep();
    store.subscribe();
    void this.ask();
  }

  notice(notice: LockNotice): void {
    // Anybody may publish: a notice is only a reason to ask.
    if (notice.kind === 'opened') this.wake();
  }

  gaveUp(reason: 'timeout' | 'aborted'): void {
    if (reason === 'timeout') this.timeout();
    else this.abort();
  }

  /** Asks again, since a connection is back, or notices can be heard now. */
  wake(): void {
    if (this.asking) this.askAgain = true;
    else void this.ask();
  }

  /** The process shuts down. */
  close(): void {
    this.end(this.busy('closed', 'this process is shutting down'));
  }

  private async ask(): Promise<void> {
    if (this.over) return;
    const { store, clock, random } = this.setup;
    this.asking = true;
    this.cancelPoll?.();
    let pause = UNHEARD_POLL;
    try {
      const { name, round, id } = this;
      const answer = await store.latch(name, { kind: 'watch', round, id }, commandTimeout(Infinity));
      this.lastError = undefined;
      if (answer.outcome === 'open') return this.end();
      if (answer.outcome === 'over') return this.end(otherRound(name, round, answer));
      if (store.subscribed) pause = SIGN_OF_LIFE_EVERY * (0.9 + random() * 0.2);
    } catch (error) {
      this.lastError = error as LockStoreError;
      publishStoreError(this.name, 'await-latch', this.lastError);
      if (this.lastError.refused) return this.end(this.lastError);
    } finally {
      this.asking = false;
    }
    if (this.over) return;
    if (this.wait === 0) return this.timeout();
    if (this.askAgain) pause = 0;
    this.askAgain = false;
    this.cancelPoll = clock.after(pause, () => void this.ask());
  }

  private readonly abort = (): void =>
    this.end(this.busy('aborted', 'the wait was aborted', this.signal?.reason));

  private timeout(): void {
    this.end(this.lastError ?? this.busy('timeout', 'it did not open in time'));
  }

  private busy(reason: 'aborted' | 'timeout' | 'closed', why: string, cause?: unknown): LockBusyError {
    const elapsed = this.setup.clock.now() - this.since;
    // Fake timers may have passed the wait in no time.
    const waited = Math.round(reason === 'timeout' ? Math.max(elapsed, this.wait) : elapsed);
    const what = this.round === '' ? '' : `round '${this.round}' of `;
    const message = `The ${what}latch '${this.name}' is not open after ${waited} ms: ${why}.`;
    return new LockBusyError(message, this.name, {
      reason,
      waited,
      ...(cause === undefined ? {} : { cause }),
    });
  }

  private end(error?: LockError): void {
    if (this.over) return;
    this.over = true;
    this.cancelPoll?.();
    this.until?.end();
    this.onEnd(this);
    if (error)
      this.setup.store
        .latch(this.name, { kind: 'unwatch', round: this.round, id: this.id }, commandTimeout(Infinity))
        .catch(() => undefined);
    this.settle(error);
  }
}

/** The error for a call that means a round which is not the current one. */
export function otherRound(
  name: string,
  round: string,
  { outcome, round: current }: LatchAnswer,
): LockUsageError {
  const now = current === '' ? 'it is used without a round now' : `its current round is '${current}'`;
  const why =
    outcome === 'over' ? 'is over: another round has replaced it' : 'is not set, or its ttl is over';
  return new LockUsageError(`The round '${round}' of the latch '${name}' ${why}; ${now}.`, name);
}
