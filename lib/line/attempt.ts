/** How a request becomes a hold: one place in the store's queue, until it is granted or given up. */
import type { CancelTimer } from '../base/clock.js';
import { LockStoreError } from '../base/errors.js';
import type { AcquireAnswer, AcquireOperation, LockNotice, StuckHold } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-machine.js';
import type { Answered } from '../store/lock-store.js';
import { newAttemptId } from '../store/session-id.js';
import { claimDeadline, commandTimeout, leaseDeadline } from '../store/server-clock.js';
import { AcquireCommand } from './acquire-command.js';
import { Hold, type HoldOwner } from './hold.js';
import type { LineSetup } from './line-setup.js';
import { publishStoreError } from './lock-channels.js';
import { sameUnits, type Terms } from './request.js';

const RETRY = 20;
const SLOWEST_RETRY = 500;
// A command that the server read too late is sent again, even for a caller who asks once.
const RESENDS_WHEN_LATE = 2;

// How long whoever asks once waits for a hold that lingers, and when it asks again at first.
const ROUSED = 50;
const FIRST_AGAIN = 2;

const SOONEST = 5;
const UNHEARD = 100;
const SIGN_OF_LIFE_EVERY = 5_000;
// Whoever looks for a deadlock trusts only what was said since it looked before, a second ago.
const HOLDING_TOLD_EVERY = 500;
// How many attempts at the head of the store's queue give signs of life more often, because they are next.
const NEXT_IN_QUEUE = 4;

/** For whom an attempt works: the line of its name. */
export interface AttemptOwner extends HoldOwner {
  /** For how many more milliseconds somebody waits; 0 asks once. */
  waitLeft(attempt: Attempt): number;
  /** What waits behind its attempts and holds something meanwhile; undefined while they need not say so. */
  readonly holding?: readonly StuckHold[] | undefined;
  /** Whether they say so. */
  readonly tellsHolding?: boolean | undefined;
  granted(attempt: Attempt, hold: Hold, now: number): void;
  /** It asked once. `identity` has the lock, for `retryAfter` more milliseconds unless it renews. */
  busy(attempt: Attempt, identity: string, retryAfter: number): void;
  /** The name is in use as a lock of another capacity. */
  otherKind(attempt: Attempt, capacity: number): void;
  /** It has a place in the store's queue now. */
  queued(): void;
  failed(attempt: Attempt, error: LockStoreError): void;
  /** The id is spent (it was revoked, or its grant came too late): try with a new one. */
  spent(attempt: Attempt): void;
}

/** One place in the store's queue: asks for a grant, keeps its place, and becomes a {@link Hold}. */
export class Attempt {
  id: string;
  /** Who held the lock, as the last answer says. */
  holderIdentity = '';
  private due = Infinity;
  private command: AcquireCommand;
  /** The last grant that was given back because too few replicas had it. Declared only: most attempts have none. */
  declare private shortage?: { readonly error: LockStoreError; readonly at: number };
  /** Since when it waits for a hold that lingers. Declared only: few attempts do. */
  declare private rousedAt?: number;
  private phase: 'waiting' | 'held' | 'over' = 'waiting';
  private hold: Hold | undefined;
  private early: Map<LockNotice['kind'], LockNotice> | undefined;
  private askAgain = false;
  private failures = 0;
  private cancelTimer: CancelTimer | undefined;

  constructor(
    private readonly setup: LineSetup,
    readonly name: string,
    terms: Terms,
    private readonly owner: AttemptOwner,
  ) {
    this.id = newAttemptId(setup.store.session, terms.lingers);
    this.command = new AcquireCommand(setup, name, this.id, terms, owner);
  }

  /** What it asks for. */
  get terms(): Terms {
    return this.command.terms;
  }

  /** Server time until which an acquire without an answer may still be read; 0 for none. */
  get doubt(): number {
    return this.command.doubt;
  }

  /** Whether nobody knows yet if it has to wait: it was asked for once, and there is no answer and no failure. */
  get asking(): boolean {
    return this.due === Infinity && this.failures === 0;
  }

  /** In how many milliseconds the present hold ends unless it is renewed, as the last answer says; undefined before it. */
  get retryAfter(): number | undefined {
    return this.due < Infinity ? Math.max(0, this.due - this.setup.clock.now()) : undefined;
  }

  /**
   * Whether it can get a caller of such terms what it wants. A place in the queue can go to a caller with another ttl; a first
   * command would be granted for the ttl that it was sent with.
   */
  suits(terms: Terms): boolean {
    return (
      sameUnits(this.terms, terms) &&
      this.terms.once === terms.once &&
      (this.terms.ttl === terms.ttl || this.due < Infinity)
    );
  }

  /** From now on it asks for a caller of such terms, which it suits. */
  servesFor(terms: Terms): void {
    this.command.terms = terms;
  }

  /** Why a caller who has been in line since then has no lock, if the reason is not that others hold it; see AcquireCommand. */
  troubleSince(since: number): LockStoreError | undefined {
    const { shortage } = this;
    return shortage && shortage.at >= since ? shortage.error : this.command.troubleSince(since);
  }

  /** Asks the store now, or after the acquire that is in flight. */
  ask(): void {
    if (this.phase !== 'waiting') return;
    if (this.command.busy) this.askAgain = true;
    else this.send();
  }

  notice(notice: LockNotice): void {
    if (this.phase !== 'waiting') return;
    // A notice may overtake the answer that grants, since that comes over another connection. It is then for the hold.
    if (notice.kind !== 'granted') return void (this.early ??= new Map()).set(notice.kind, notice);
    const { store, clock } = this.setup;
    const now = clock.now();
    const sample = notice.seal === this.command.seal ? store.sampleFor(notice) : undefined;
    const deadline = claimDeadline(sample, notice, now);
    // Without the right seal, without a sample of the server's clock, or too late, the notice is only a reason to ask.
    if (deadline === undefined || deadline <= now) return this.ask();
    const hold = this.take(notice, deadline, true, now);
    // Confirmed a little later, so that the work begins first; it may even be over by then.
    clock.breathe(() => {
      this.cancelTimer?.();
      hold.confirm();
    });
  }

  /** A connection is back: a grant may have been pushed while nobody listened. */
  wake(): void {
    this.command.changeSeal();
    this.ask();
  }

  /** Gives back the place in the queue, or a grant that is on its way. */
  abandon(): void {
    if (this.phase === 'waiting') this.leave();
  }

  private send(): void {
    this.cancelTimer?.();
    this.command.send(this.owner.waitLeft(this), () => this.phase === 'waiting', this.answered);
  }

  private readonly answered = (answer: Answered<AcquireOperation> | LockStoreError | undefined): void => {
    if (answer instanceof LockStoreError) return this.failed(answer);
    if (answer === undefined) return;
    if (this.phase === 'waiting') this.decide(answer);
    else if (answer.outcome === 'granted' || answer.outcome === 'unacknowledged') {
      // If a notice has granted it in the meantime, the answer confirms that; if it was given up, it is released again.
      if (this.phase === 'over') this.releaseAtStore();
      else if (answer.outcome === 'granted')
        this.hold?.confirmed(answer, this.command.asked.ttl, this.command.doubt);
    } else if (this.phase === 'over' && answer.outcome === 'queued') this.releaseAtStore();
    // The release that was sent may have overtaken it, where acquires have a connection of their own.
  };

  private decide(answer: Answered<AcquireOperation>): void {
    if (answer.outcome !== 'late' && answer.outcome !== 'unacknowledged') this.failures = 0;
    if ('roused' in answer && answer.roused && this.awaitRelease(answer)) return;
    switch (answer.outcome) {
      case 'granted': {
        const { asked } = this.command;
        const deadline = leaseDeadline(answer.sentAt, asked.ttl);
        if (deadline > answer.receivedAt) this.take(answer, deadline, false, answer.receivedAt, asked);
        else this.giveUpSpent();
        return;
      }
      case 'unacknowledged':
        return this.unacknowledged(answer.error);
      case 'queued':
        return this.queued(answer);
      case 'busy':
        this.finish();
        return this.owner.busy(this, answer.holder, Math.max(0, (answer.due - answer.now) / 1_000));
      case 'mismatch':
        this.finish();
        return this.owner.otherKind(this, answer.capacity);
      case 'gone':
        return this.giveUpSpent();
      case 'late':
        // The answer brought a new sample of the server's clock, so `notAfter` of the next command will be right.
        return this.failed(this.command.late(), RESENDS_WHEN_LATE);
    }
  }

  private queued(answer: AcquireAnswer & { outcome: 'queued' }): void {
    const { store, clock, random } = this.setup;
    store.subscribe();
    const dueIn = (answer.due - answer.now) / 1_000;
    const first = this.due === Infinity;
    this.holderIdentity = answer.holder;
    this.due = clock.now() + dueIn;
    if (first) this.owner.queued();
    if (this.askAgain) {
      this.askAgain = false;
      return this.send();
    }
    const heard = store.subscribed && answer.heard;
    const most = this.owner.tellsHolding ? HOLDING_TOLD_EVERY : SIGN_OF_LIFE_EVERY;
    this.later(askAgainIn(dueIn, answer.place, heard, this.terms.ttl, random(), most));
  }

  /**
   * A holder that may linger was told that its name is wanted, and gives it back if nobody uses it: the store is asked
   * again, a few times. Returns false when that took long enough.
   */
  private awaitRelease({ sentAt, receivedAt }: Answered<AcquireOperation>): boolean {
    const now = this.setup.clock.now();
    const since = (this.rousedAt ??= now);
    const left = Math.min(ROUSED, commandTimeout(this.terms.ttl)) - (now - since);
    if (left <= 0) return false;
    // The first time after two round trips: one for the notice and the release, one for whatever else takes time. Then ever
    // more rarely: each time costs a holder who works a notice.
    const pause = Math.max(FIRST_AGAIN, 2 * (receivedAt - sentAt), 2 * (now - since));
    this.later(Math.min(pause, left));
    return true;
  }

  /** Too few replicas have the grant: it is given back, and asked for again under a new id. */
  private unacknowledged(error: LockStoreError): void {
    publishStoreError(this.name, 'acquire', error);
    this.releaseAtStore();
    if (error.refused || this.terms.once) {
      this.phase = 'over';
      return this.owner.failed(this, error);
    }
    const { setup, name, terms, owner } = this;
    this.shortage = { error, at: setup.clock.now() };
    this.id = newAttemptId(setup.store.session, terms.lingers); // the store knows the old one as released
    this.command = new AcquireCommand(setup, name, this.id, terms, owner);
    this.early = undefined;
    this.failures += 1;
    this.later(pauseAfter(this.failures));
  }

  private failed(error: LockStoreError, resends = 0): void {
    if (this.phase !== 'waiting') return;
    // A caller who waits is sent away only when its time is over, see Line.leave.
    const once = this.terms.once && this.failures >= resends;
    if (error.refused || once) {
      if (error.refused) this.finish();
      else this.leave();
      return this.owner.failed(this, error);
    }
    this.failures += 1;
    this.later(pauseAfter(this.failures));
  }

  private later(ms: number): void {
    this.askAgain = false;
    this.cancelTimer?.();
    this.setup.waiting.keep();
    this.cancelTimer = this.setup.clock.after(ms, () => this.ask());
  }

  private take(
    grant: { first: number; last: number; contended: boolean; done: boolean; replicas?: number },
    deadline: number,
    claimed: boolean,
    now: number,
    terms = this.terms,
  ): Hold {
    this.phase = 'held';
    if (!claimed) this.cancelTimer?.();
    const hold = (this.hold = new Hold(this.setup, this, terms, grant, deadline, claimed, this.owner));
    if (this.early) for (const notice of this.early.values()) hold.notice(notice);
    this.owner.granted(this, hold, now);
    return hold;
  }

  private giveUpSpent(): void {
    this.leave();
    this.owner.spent(this);
  }

  /** Ends the attempt, and releases whatever the store may have of it. */
  private leave(): void {
    const sent = this.command.doubt === 0 && this.command.end > 0;
    this.finish();
    if (sent) this.releaseAtStore();
  }

  /** Ends an attempt of which the store has nothing, unless it may still read a copy that was not answered. */
  private finish(): void {
    this.phase = 'over';
    this.cancelTimer?.();
    if (this.command.doubt > 0) this.releaseAtStore();
  }

  private releaseAtStore(): void {
    const { name, id, terms, command } = this;
    void this.setup.pendingReleases.send({
      ...{ name, id, used: 0, keep: 0, done: 0, ttl: terms.ttl, end: command.end },
      // Read anew each time: an answer may end the doubt.
      get doubt() {
        return command.doubt;
      },
    });
  }
}

/** How long to wait before the store is asked again, after so many failures in a row, in milliseconds. */
function pauseAfter(failures: number): number {
  return Math.min(RETRY * 2 ** (failures - 1), SLOWEST_RETRY);
}

/**
 * After how many milliseconds a waiting attempt asks the store again: when the next hold ends (`dueIn`), in time for its
 * next sign of life (`most`, about), and soon if no notice would be `heard`. `random` is at least 0 and less than 1.
 */
function askAgainIn(
  dueIn: number,
  place: number,
  heard: boolean,
  ttl: number,
  random: number,
  most: number,
): number {
  const alive = place < NEXT_IN_QUEUE ? Math.min(CLAIM_WINDOW / 1_000, ttl) / 2 : Infinity;
  const jittered = Math.min(alive, most, heard ? Infinity : UNHEARD) * (0.9 + random * 0.2);
  return Math.max(SOONEST, Math.min(dueIn + 1, jittered));
}
