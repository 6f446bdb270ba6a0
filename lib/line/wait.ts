/**
 * Everything about waiting: its deadline, its signal, and how the process stays alive meanwhile. Used by the callers of a
 * line, by waits for a latch, and by entries that wait for another entry of the same lease.
 */
import { Link } from '../base/chain.js';
import type { Anchor, CancelTimer, Clock } from '../base/clock.js';
import { Deadlines, type Deadline } from '../base/shared-timer.js';

/**
 * All waits of this process at one store. The process stays alive while somebody waits. Nothing else would keep it alive,
 * since the timers of holders do not and the memory store has no socket; the process would end with exit code 0 before its
 * work is done.
 */
export class Waiting {
  readonly deadlines: Deadlines;
  private count = 0;
  private anchor: Anchor | undefined;
  private anchored = false;
  private closed = false;
  /**
   * One listener for each signal, however many wait for it: a signal with more than ten listeners makes Node warn of a
   * leak, and a hundred callers may well share the signal of one request.
   */
  private readonly signals = new Map<AbortSignal, { callers: Set<() => void>; listener: () => void }>();

  constructor(readonly clock: Clock) {
    this.deadlines = new Deadlines(clock);
  }

  /** Somebody begins to wait, perhaps only for an answer; this only counts. */
  enter(): void {
    this.count += 1;
  }

  leave(): void {
    this.count -= 1;
    if (this.count > 0 || !this.anchored) return;
    this.anchored = false;
    this.anchor?.unref();
  }

  /** Keeps the process alive until all waits have ended; without it the event loop might run out of work. */
  keep(): void {
    if (this.anchored || this.closed || this.count === 0) return;
    this.anchored = true;
    (this.anchor ??= this.clock.anchor()).ref();
  }

  /** Calls `tell` when the signal aborts. */
  onAbort(signal: AbortSignal, tell: () => void): void {
    const known = this.signals.get(signal);
    if (known) return void known.callers.add(tell);
    const callers = new Set([tell]);
    const listener = (): void => [...callers].forEach((each) => each());
    this.signals.set(signal, { callers, listener });
    signal.addEventListener('abort', listener);
  }

  offAbort(signal: AbortSignal, tell: () => void): void {
    const known = this.signals.get(signal);
    known?.callers.delete(tell);
    if (known?.callers.size !== 0) return;
    signal.removeEventListener('abort', known.listener);
    this.signals.delete(signal);
  }

  /** Nobody waits any more. */
  close(): void {
    this.closed = true;
    this.deadlines.close();
    this.anchor?.close();
    this.anchor = undefined;
    this.anchored = false;
  }
}

/** Who waits. */
export interface Waiter {
  /** The deadline has passed, or the signal has aborted. */
  gaveUp(reason: 'timeout' | 'aborted'): void;
}

/**
 * One wait. It tells its waiter at its deadline or when its signal aborts. `end` must be called in any case. The caller who
 * knows that the wait will last also calls {@link Waiting.keep}.
 */
export class Wait extends Link<Deadline> implements Deadline {
  private abort: (() => void) | undefined;
  private cancelFaked: CancelTimer | undefined;

  constructor(
    private readonly waiting: Waiting,
    /** Local time until which it waits; Infinity means for ever. */
    readonly deadline: number,
    private readonly signal: AbortSignal | undefined,
    /** Whether somebody awaits the outcome, so that the process has to stay alive. */
    private awaited: boolean,
    private readonly waiter: Waiter,
  ) {
    super();
    if (awaited) waiting.enter();
    if (deadline < Infinity) {
      waiting.deadlines.add(this);
      if (waiting.clock.faked) this.watchFaked();
    }
    if (signal) waiting.onAbort(signal, (this.abort = () => waiter.gaveUp('aborted')));
  }

  missed(): void {
    this.waiter.gaveUp('timeout');
  }

  end(): void {
    this.waiting.deadlines.delete(this);
    if (this.signal && this.abort) this.waiting.offAbort(this.signal, this.abort);
    this.cancelFaked?.();
    this.abort = this.cancelFaked = undefined;
    if (this.awaited) this.waiting.leave();
    this.awaited = false;
  }

  /** When a test advances its fake timers by the wait, it expects the wait to be over. */
  private watchFaked(): void {
    const { clock } = this.waiting;
    const missed = (): void => {
      if (this.cancelFaked) this.missed();
    };
    // A minute of fake time may pass within one tick. Whatever ends in it takes effect first, even a hand-off that waits
    // for a turn of the event loop.
    const fired = (): void => clock.breathe(() => clock.breathe(missed));
    this.cancelFaked = clock.afterFaked(this.deadline - clock.now(), fired);
  }
}
