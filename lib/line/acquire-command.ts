/** How an attempt asks the store, and what it knows about commands that were not answered. */
import { LockStoreError } from '../base/errors.js';
import type { AcquireOperation, StuckHold } from '../store/lock-operation.js';
import { CLAIM_WINDOW, SIGN_OF_LIFE } from '../store/lock-machine.js';
import type { Answered } from '../store/lock-store.js';
import { newSeal } from '../store/session-id.js';
import { commandEnd, commandTimeout, micros, type ServerSample } from '../store/server-clock.js';
import type { LineSetup } from './line-setup.js';
import { publishStoreError } from './lock-channels.js';
import type { Terms } from './request.js';

// Without an answer for this long, nobody can say whether the lock is busy.
const SLOW = 25;
// For a store that answered while the caller stood in line: longer than a busy moment of either process.
const SILENT = 250;

/** The acquires of one attempt: one is in flight at a time, and the server may still read those that were not answered. */
export class AcquireCommand {
  busy = false;
  /** What a pushed grant has to repeat. Nobody else knows it, unless a grant was pushed and this process missed it. */
  seal = newSeal();
  /** Local time from which the store has forgotten the id by itself; 0 when nothing was ever sent. */
  end = 0;
  /** The terms of the last one: what its answer grants. */
  asked: Terms;
  private unanswered = 0;
  private inFlight = 0;
  private failure: LockStoreError | undefined;
  /** Whether the failure is not an answer of the store, but its silence for the whole time of the command. */
  private failedInSilence = false;
  private silentSince: number | undefined;
  private sentAt = 0;

  constructor(
    private readonly setup: LineSetup,
    private readonly name: string,
    private readonly id: string,
    /** What the next one asks for. */
    public terms: Terms,
    /** What waits behind the attempt and holds something meanwhile. */
    private readonly waiting: { readonly holding?: readonly StuckHold[] | undefined },
  ) {
    this.asked = terms;
  }

  /** Server time until which an acquire without an answer may still be read and have an effect; 0 for none. */
  get doubt(): number {
    return Math.max(this.unanswered, this.inFlight);
  }

  /** Others may have heard a grant that was pushed until now and that we missed. */
  changeSeal(): void {
    this.seal = newSeal();
  }

  /**
   * Why it is not known whether the lock is free, for a caller who has stood in line since `since`: a failure, or a store
   * that is silent. Undefined when the store has answered, or is known to work. Call it after a turn of the event loop, so
   * that whatever arrived while the loop was late has been read.
   */
  troubleSince(since: number): LockStoreError | undefined {
    const { store, clock } = this.setup;
    if (this.failure && !this.failedInSilence) return this.failure;
    if (this.silentSince === undefined) return undefined;
    const heardAt = store.sample(this.name)?.receivedAt ?? -Infinity;
    const silence = clock.now() - Math.max(this.silentSince, heardAt);
    if (silence < (heardAt > since ? SILENT : SLOW)) return undefined;
    return (
      this.failure ??
      new LockStoreError(
        `The store (${store.address}) did not answer within ${Math.round(silence)} ms: ` +
          `it is not known whether the lock '${this.name}' is free.`,
        this.name,
      )
    );
  }

  /**
   * Sends one acquire, and tells `done` the outcome. `wanted` is asked again right before the command goes out: when nobody
   * waits any more, nothing is sent, and the outcome is undefined.
   */
  send(
    wait: number,
    wanted: () => boolean,
    done: (outcome: Answered<AcquireOperation> | LockStoreError | undefined) => void,
  ): void {
    const { store, clock } = this.setup;
    const timeout = commandTimeout(this.terms.ttl, wait === 0 ? Infinity : wait);
    const now = clock.now();
    this.busy = true;
    this.silentSince ??= now;
    this.sentAt = now;
    // Callbacks, not await: every lease begins here, and each promise counts.
    const answered = (answer: Answered<AcquireOperation>): void => done(this.answered(answer));
    const failed = (error: LockStoreError): void => done(this.failed(error, timeout));
    const sample = store.sample(this.name);
    if (sample) return void this.ask(sample, now, wait, timeout).then(answered, failed);
    store.measure(this.name, timeout).then((fresh) => {
      if (wanted()) return void this.ask(fresh, clock.now(), wait, timeout).then(answered, failed);
      this.settle();
      done(undefined);
    }, failed);
  }

  private ask(
    sample: ServerSample,
    now: number,
    wait: number,
    timeout: number,
  ): Promise<Answered<AcquireOperation>> {
    const { id, seal, terms } = this;
    const { units, capacity, ttl, guard, identity } = terms;
    const { store } = this.setup;
    const notAfter = commandEnd(sample, now, timeout);
    this.inFlight = notAfter;
    this.end = Math.max(this.end, now + timeout + ttl + guard + CLAIM_WINDOW / 1_000);
    this.asked = terms;
    const operation = {
      kind: 'acquire',
      id,
      units,
      capacity,
      ttl: micros(ttl),
      guard: micros(guard),
      block: micros(ttl),
      // Another caller of this process may take over the place, so it lasts until the next sign of life.
      wait: wait === 0 ? 0 : Math.max(micros(wait), SIGN_OF_LIFE),
      notAfter,
      subscribed: store.subscribed,
      seal,
      identity,
    } as const;
    const { holding } = this.waiting;
    return store.execute(this.name, holding ? { ...operation, holding } : operation, timeout);
  }

  private answered(answer: Answered<AcquireOperation>): Answered<AcquireOperation> {
    this.settle();
    if (answer.now > this.unanswered) this.unanswered = 0;
    this.failure = undefined; // also of a command that came too late: the store works
    this.silentSince = undefined;
    return answer;
  }

  private failed(error: LockStoreError, timeout: number): LockStoreError {
    publishStoreError(this.name, 'acquire', error);
    if (!error.refused) this.unanswered = this.doubt;
    this.settle();
    // A command with so little time says nothing about the store.
    if (timeout < SLOW) return error;
    this.failure = error;
    this.failedInSilence = !error.refused && this.setup.clock.now() - this.sentAt >= timeout;
    return error;
  }

  /** The failure of a command that the store read too late to carry it out. */
  late(): LockStoreError {
    return new LockStoreError(
      `The command to acquire '${this.name}' reached the server too late.`,
      this.name,
    );
  }

  private settle(): void {
    this.inFlight = 0;
    this.busy = false;
  }
}
