/** The releases that are on their way to the store, and for how long each is repeated. */
import type { Clock } from '../base/clock.js';
import type { LockStoreError } from '../base/errors.js';
import type { DowngradeOperation, ReleaseOperation } from '../store/lock-operation.js';
import type { LockStore } from '../store/lock-store.js';
import { commandTimeout, micros } from '../store/server-clock.js';
import { publishStoreError } from './lock-channels.js';

/** An id that the store has to give up, whatever was sent for it before. */
export interface PendingRelease {
  readonly name: string;
  readonly id: string;
  /** The last fence used; 0 for none. */
  readonly used: number;
  /** For how many milliseconds the store keeps the units (minimum hold), and remembers the work as done; 0 for neither. */
  readonly keep: number;
  readonly done: number;
  readonly ttl: number;
  /** Local time at which the store has forgotten the id by itself. */
  readonly end: number;
  /** Server time until which an unanswered acquire of this id may still be read, as far as is known now; 0 for none. */
  readonly doubt: number;
  /** Local time at which the hold was given back; undefined if it was never held. */
  readonly at?: number;
}

const RETRY = 50;
const SLOWEST_RETRY = 500;
// How many releases of names that are no longer in use are remembered.
const MOST_REMEMBERED = 4_096;

/**
 * Releases that must arrive: each is repeated until it is answered, or until the lease has ended by itself. A release that
 * the server refuses is repeated more slowly, since permissions may come back; it is not repeated when the key holds
 * somebody else's value. An id whose acquire was not answered is released once more, when the server's clock has passed
 * the last moment at which a late copy of that acquire could have an effect.
 */
export class PendingReleases {
  private open = 0;
  private allOver: (() => void) | undefined;
  private closed = false;
  private readonly remembered: PendingRelease[] = [];
  private oldest = 0;

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
  ) {}

  /** Resolves with whether the store still knew the lease at the first answer. */
  send(release: PendingRelease): Promise<'released' | 'expired'> {
    const { id, used, keep, done } = release;
    const operation = { kind: 'release', id, used, keep: micros(keep), done: micros(done) } as const;
    this.open += 1;
    return new Promise((answered) => this.ask(release, operation, answered));
  }

  /** Gives units back, and repeats that until it is answered or the hold is over; resolves at the first answer or failure. */
  downgrade(
    name: string,
    operation: DowngradeOperation,
    ttl: number,
    hold: {
      /** Whether the hold has ended. */
      over(): boolean;
      /** The store does not know the hold; `revokeReason` is given when an operator took it away by force. */
      lost(revokeReason?: string): void;
    },
  ): Promise<void> {
    return new Promise((answered) => {
      let refusals = 0;
      const ask = (): void => {
        this.store.execute(name, operation, commandTimeout(ttl)).then(
          (answer) => {
            // Before the caller goes on as a reader.
            if (answer.outcome === 'lost') hold.lost();
            else if (answer.outcome === 'revoked') hold.lost(answer.reason);
            answered();
          },
          (error: LockStoreError) => {
            publishStoreError(name, 'downgrade', error);
            const { foreign, refused } = error;
            if (foreign) hold.lost();
            answered(); // unknown counts as given back: if the server keeps the units for longer, that harms nobody
            if (refused) refusals += 1;
            if (!hold.over() && !this.closed) this.clock.after(pauseAfter(refusals), ask);
          },
        );
      };
      ask();
    });
  }

  /** Remembers the last release of a name that is no longer in use; when there are too many, the oldest are forgotten. */
  remember(release: PendingRelease | undefined): void {
    if (!release) return;
    this.remembered[this.oldest] = release;
    this.oldest = (this.oldest + 1) % MOST_REMEMBERED;
  }

  /** What it remembers: the latest of each name. */
  lastOfEach(): Map<string, PendingRelease> {
    const latest = new Map<string, PendingRelease>();
    const { remembered, oldest } = this;
    for (const release of [...remembered.slice(oldest), ...remembered.slice(0, oldest)])
      latest.set(release.name, release);
    return latest;
  }

  /** Resolves when every release sent so far was answered or given up. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.allOver = resolve;
      if (this.open === 0) resolve();
    });
  }

  /** The store is about to be closed: nothing is repeated from now on. */
  close(): void {
    this.closed = true;
  }

  // Callbacks, not await: every lease ends here, and each promise counts.
  private ask(
    release: PendingRelease,
    operation: ReleaseOperation,
    answered: (outcome: 'released' | 'expired') => void,
    repeat = false,
    refusals = 0,
  ): void {
    const { name, ttl, end } = release;
    const again = (ms: number, refused = refusals): unknown =>
      this.clock.after(ms, () => this.ask(release, operation, answered, true, refused));
    this.store.execute(name, operation, commandTimeout(ttl)).then(
      ({ outcome, now }) => {
        // When a repeat finds nothing, the first copy did the work, and only its answer was lost. That is no proof of a mark:
        // the hold may have been over before either copy was read.
        const { doubt, done } = release;
        const found = outcome === 'released' || (outcome === 'gone' && repeat && done === 0);
        answered(found ? 'released' : 'expired');
        if (now > doubt || this.closed) return this.over();
        const left = end - this.clock.now();
        if (left <= 0) return this.over();
        // Either clock may have jumped, so it never waits for longer than the lease lasts.
        again(Math.min((doubt - now) / 1_000 + 2, left + 1)); // timers may fire a millisecond early
      },
      (error: LockStoreError) => {
        publishStoreError(name, 'release', error);
        const { foreign, refused } = error;
        if (foreign) answered('expired');
        const futile = foreign && release.doubt === 0; // with doubt, an acquire may still be read once that value is gone
        if (futile || this.closed || this.clock.now() >= end) {
          answered('expired');
          return this.over();
        }
        const count = refused ? refusals + 1 : refusals;
        again(pauseAfter(count), count);
      },
    );
  }

  private over(): void {
    this.open -= 1;
    if (this.open === 0) this.allOver?.();
  }
}

/** How many milliseconds to wait before a command is sent again that was refused `refusals` times. */
function pauseAfter(refusals: number): number {
  return Math.min(RETRY * 2 ** Math.max(0, refusals - 1), SLOWEST_RETRY);
}
