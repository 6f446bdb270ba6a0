/**
 * Everything about waiting: until when, until which signal, and how the process stays alive meanwhile. Used by the
 * callers of a line, by waits for a latch, and by the entries of one lease that take turns.
 */
import { Link } from '../base/chain.js';
import type { Anchor, CancelTimer, Clock } from '../base/clock.js';
import { Deadlines, type Deadline } from '../base/deadlines.js';

/**
 * All waits of this process at one store. While somebody is awaited, the process stays alive: nothing else keeps it so
 * (the timers of holders do not, and in memory there is no socket), and it would end with exit code 0 and its work
 * undone.
 */
export class Waiting {
  readonly deadlines: Deadlines;
  private count = 0;
  private anchor: Anchor | undefined;
  private anchored = false;
  /**
   * One listener for each signal, however many wait for it: a signal with more than ten listeners makes Node warn of a
   * leak, and a hundred callers may well share the signal of one request.
   */
  private readonly signals = new Map<AbortSignal, { callers: Set<() => void>; listener: () => void }>();

  constructor(readonly clock: Clock) {
    this.deadlines = new Deadlines(clock);
  }

  /** Somebody waits, if only for an answer: this costs no more than the counting. */
  enter(): void {
    this.count += 1;
  }

  leave(): void {
    this.count -= 1;
    if (this.count > 0 || !this.anchored) return;
    this.anchored = false;
    this.anchor?.unref();
  }

  /** The event loop may run out of work before those who wait are served: keeps the process alive until they are. */
  keep(): void {
    if (this.anchored || this.count === 0) return;
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
    this.deadlines.close();
    this.anchor?.close();
    this.anchor = undefined;
    this.anchored = false;
  }
}

/**
 * One wait: until its deadline or until its signal aborts, when `leave` is called. `end` must be called in any case.
 * {@link Waiting.keep} is called by whoever knows that the wait will last.
 */
export class Wait extends Link<Deadline> implements Deadline {
  private abort: (() => void) | undefined;
  private cancelFaked: CancelTimer | undefined;

  constructor(
    private readonly waiting: Waiting,
    /** Local time until which it waits; Infinity for ever. */
    readonly deadline: number,
    private readonly signal: AbortSignal | undefined,
    /** Whether somebody awaits the outcome, for whom the process has to stay alive. */
    private awaited: boolean,
    private readonly leave: (reason: 'timeout' | 'aborted') => void,
  ) {
    super();
    if (awaited) waiting.enter();
    if (deadline < Infinity) {
      waiting.deadlines.add(this);
      if (waiting.clock.faked) this.watchFaked();
    }
    if (signal) waiting.onAbort(signal, (this.abort = () => leave('aborted')));
  }

  missed(): void {
    this.leave('timeout');
  }

  end(): void {
    this.waiting.deadlines.delete(this);
    if (this.signal && this.abort) this.waiting.offAbort(this.signal, this.abort);
    this.cancelFaked?.();
    this.abort = this.cancelFaked = undefined;
    if (this.awaited) this.waiting.leave();
    this.awaited = false;
  }

  /** A test that advances its fake timers by the wait means the wait to be over. */
  private watchFaked(): void {
    const { clock } = this.waiting;
    const missed = (): void => {
      if (this.cancelFaked) this.missed();
    };
    // A minute of fake time may pass within one tick: what ends in it has its effect first, a hand-off after a breath too.
    const fired = (): void => clock.breathe(() => clock.breathe(missed));
    this.cancelFaked = clock.afterFaked(this.deadline - clock.now(), fired);
  }
}
