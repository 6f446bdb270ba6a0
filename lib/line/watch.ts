import type { CancelTimer } from '../base/clock.js';
import type { Deadline } from '../base/deadlines.js';
import { Link } from '../base/chain.js';
import type { Surroundings } from './surroundings.js';

/**
 * Sees to it that somebody who waits does so no longer than it wants to: until its deadline or the abort of its signal,
 * when `leave` is called; `end` is to be called in any case. Meanwhile it counts among those who wait: see
 * {@link Waiting}, whose `keep` is called by whoever knows that the wait is going to last.
 */
export class Watch extends Link<Deadline> implements Deadline {
  private abort: (() => void) | undefined;
  private cancelFaked: CancelTimer | undefined;

  constructor(
    private readonly around: Surroundings,
    /** Local time until which it waits; Infinity for ever. */
    readonly deadline: number,
    private readonly signal: AbortSignal | undefined,
    /** Whether somebody awaits the outcome, for whom the process has to stay alive. */
    private awaited: boolean,
    private readonly leave: (reason: 'timeout' | 'aborted') => void,
  ) {
    super();
    if (awaited) around.waiting.enter();
    if (deadline < Infinity) {
      around.patience.add(this);
      if (around.clock.faked) this.watchFaked();
    }
    if (signal) around.aborts.add(signal, (this.abort = () => leave('aborted')));
  }

  missed(): void {
    this.leave('timeout');
  }

  end(): void {
    this.around.patience.delete(this);
    if (this.signal && this.abort) this.around.aborts.delete(this.signal, this.abort);
    this.cancelFaked?.();
    this.abort = this.cancelFaked = undefined;
    if (this.awaited) this.around.waiting.leave();
    this.awaited = false;
  }

  /** A test that advances its fake timers by the wait means the wait to be over. */
  private watchFaked(): void {
    const { clock } = this.around;
    const missed = (): void => {
      if (this.cancelFaked) this.missed();
    };
    // A minute of fake time may pass within one tick: what ends in it has its effect first, a hand-off after a breath too.
    const fired = (): void => clock.breathe(() => clock.breathe(missed));
    this.cancelFaked = clock.afterFaked(this.deadline - clock.now(), fired);
  }
}
