import type { Clock } from '../base/clock.js';
import type { LockStoreError } from '../base/lock-store-error.js';
import type { DowngradeOperation } from '../store/lock-operation.js';
import type { LockStore } from '../store/lock-store.js';
import { commandTimeout } from './terms.js';

/** An id that is to be free at the store, whatever was sent for it before. */
export interface Departure {
  readonly name: string;
  readonly id: string;
  /** The last fence used; 0 for none. */
  readonly used: number;
  /** Milliseconds to keep the units (minimum hold), and to remember the work as done; 0 for not. */
  readonly keep: number;
  readonly done: number;
  readonly ttl: number;
  /** Local time at which the store has forgotten the id by itself. */
  readonly end: number;
  /** Server time up to which an unanswered acquire of this id may still be read, as far as is known now; 0 for none. */
  readonly doubt: number;
}

/** A hold that gives some of its units back. */
export interface Downgraded {
  /** Whether there is nothing left to give back from. */
  over(): boolean;
  /** The store does not know it. */
  lost(): void;
}

const RETRY = 50;
const SLOWEST_RETRY = 500;

/**
 * Releases that must arrive: each is repeated until it is answered, or until the lease has ended by itself; more
 * slowly what the server refuses (permissions come back), and not at all where a value of somebody else is.
 * An id whose acquire was not answered is released once more when the server's clock has passed the last
 * moment at which a late copy of that acquire could have an effect.
 */
export class Farewell {
  private readonly open = new Set<Promise<unknown>>();
  private closed = false;

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
  ) {}

  /** Resolves with whether the store still knew the lease at the first answer. */
  send(departure: Departure): Promise<'released' | 'expired'> {
    let answered: (outcome: 'released' | 'expired') => void = () => undefined;
    const outcome = new Promise<'released' | 'expired'>((resolve) => (answered = resolve));
    const work = this.untilFree(departure, answered).finally(() => this.open.delete(work));
    this.open.add(work);
    return outcome;
  }

  /** Gives units back, again and again until it is answered or `over`; resolves at the first answer or failure. */
  downgrade(name: string, operation: DowngradeOperation, ttl: number, hold: Downgraded): Promise<void> {
    return new Promise((answered) => {
      let refusals = 0;
      const ask = (): void => {
        this.store.execute(name, operation, commandTimeout(ttl)).then(
          ({ outcome }) => {
            if (outcome === 'lost') hold.lost(); // before the caller goes on as a reader
            answered();
          },
          ({ foreign, refused }: LockStoreError) => {
            if (foreign) hold.lost();
            answered(); // unknown counts as given back; the server may keep it for longer, which harms nobody
            if (refused) refusals += 1;
            if (!hold.over() && !this.closed) this.clock.after(pauseAfter(refusals), ask);
          },
        );
      };
      ask();
    });
  }

  /** Resolves when every release sent so far has its answer or its end. */
  async settled(): Promise<void> {
    await Promise.all(this.open);
  }

  /** The store is about to be closed: what it refuses from now on is not repeated. */
  close(): void {
    this.closed = true;
  }

  private async untilFree(
    departure: Departure,
    answered: (outcome: 'released' | 'expired') => void,
  ): Promise<void> {
    const { name, id, used, ttl, end } = departure;
    const operation = {
      kind: 'release',
      id,
      used,
      keep: departure.keep * 1_000,
      done: departure.done * 1_000,
    } as const;
    for (let [repeat, refusals] = [false, 0]; ; repeat = true) {
      try {
        const { outcome, now } = await this.store.execute(name, operation, commandTimeout(ttl));
        // A repeat that finds nothing: the first one did it, and only its answer was lost.
        answered(outcome === 'released' || (outcome === 'gone' && repeat) ? 'released' : 'expired');
        const left = end - this.clock.now();
        if (now > departure.doubt || left <= 0 || this.closed) return;
        // Either clock may have jumped: the doubt is never worth more than the lease.
        await this.pause(Math.min((departure.doubt - now) / 1_000 + 1, left + 1));
      } catch (error) {
        const { foreign, refused } = error as LockStoreError;
        if (foreign) answered('expired');
        const futile = foreign && departure.doubt === 0; // else an acquire may still be read when the value is gone
        if (futile || this.closed || this.clock.now() >= end) return answered('expired');
        if (refused) refusals += 1;
        await this.pause(pauseAfter(refusals));
      }
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after(ms, resolve));
  }
}

/** How long to wait before a command is sent again that was refused so many times, in milliseconds. */
function pauseAfter(refusals: number): number {
  return Math.min(RETRY * 2 ** Math.max(0, refusals - 1), SLOWEST_RETRY);
}
