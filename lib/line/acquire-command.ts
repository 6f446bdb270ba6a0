import { LockStoreError } from '../base/lock-store-error.js';
import type { AcquireOperation } from '../store/lock-operation.js';
import { CLAIM_WINDOW, SIGN_OF_LIFE } from '../store/lock-state.js';
import type { Answered } from '../store/lock-store.js';
import { newSeal } from '../store/session-id.js';
import { commandEnd } from '../validity/deadline.js';
import type { Surroundings } from './surroundings.js';
import { commandTimeout, micros, type Terms } from './terms.js';

// Without an answer for this long, nobody can say whether the lock is busy.
const SLOW = 25;

/** The acquires of one attempt: one in flight at a time, and what may still be read of those without an answer. */
export class AcquireCommand {
  busy = false;
  /** What a pushed grant has to repeat: nobody else knows it, unless a grant was pushed and not heard. */
  seal = newSeal();
  /** Local time at which the store has forgotten the id by itself; 0 when nothing was ever sent. */
  end = 0;
  private unanswered = 0;
  private inFlight = 0;
  private failure: LockStoreError | undefined;
  private silentSince: number | undefined;

  constructor(
    private readonly around: Surroundings,
    private readonly name: string,
    private readonly id: string,
    private readonly terms: Terms,
  ) {}

  /** Server time until which an acquire without an answer may be read and come into effect; 0 for none. */
  get doubt(): number {
    return Math.max(this.unanswered, this.inFlight);
  }

  /** Whatever was pushed until now may have been heard by others and not by us. */
  changeSeal(): void {
    this.seal = newSeal();
  }

  /** Why it is not known whether the lock is free: the last failure, or silence; undefined after an answer. */
  get trouble(): LockStoreError | undefined {
    const { store, clock } = this.around;
    if (this.failure) return this.failure;
    if (this.silentSince === undefined || clock.now() - this.silentSince < SLOW) return undefined;
    return new LockStoreError(
      `The store (${store.address}) did not answer within ${Math.round(clock.now() - this.silentSince)} ms: ` +
        `it is not known whether the lock '${this.name}' is free.`,
      this.name,
    );
  }

  /** Sends one acquire. `wanted` is asked again right before it goes out: undefined when nobody waits any more. */
  async send(
    wait: number,
    wanted: () => boolean,
  ): Promise<Answered<AcquireOperation> | LockStoreError | undefined> {
    const { store, clock } = this.around;
    const { units, capacity, ttl, guard, who } = this.terms;
    const timeout = commandTimeout(ttl, wait === 0 ? Infinity : wait);
    this.busy = true;
    this.silentSince ??= clock.now();
    try {
      const sample = store.sample(this.name) ?? (await store.measure(this.name, timeout));
      if (!wanted()) return undefined;
      const now = clock.now();
      const notAfter = commandEnd(sample, now, timeout);
      this.inFlight = notAfter;
      this.end = now + timeout + ttl + guard + CLAIM_WINDOW / 1_000;
      const times = {
        ttl: micros(ttl),
        guard: micros(guard),
        block: micros(ttl),
        // Another caller of this process may take the place over: it stays until the next sign of life.
        wait: wait === 0 ? 0 : Math.max(micros(wait), SIGN_OF_LIFE),
        notAfter,
      };
      const hears = { subscribed: store.subscribed, seal: this.seal };
      const operation = { kind: 'acquire', id: this.id, units, capacity, ...times, ...hears, who } as const;
      const answer = await store.execute(this.name, operation, timeout);
      if (answer.now > this.unanswered) this.unanswered = 0;
      const what = `The command to acquire '${this.name}' reached the server too late.`;
      this.failure = answer.outcome === 'late' ? new LockStoreError(what, this.name) : undefined;
      this.silentSince = undefined;
      return answer;
    } catch (error) {
      if (!(error as LockStoreError).refused) this.unanswered = this.doubt;
      // A command whose time was that short says nothing of the store.
      if (timeout >= SLOW) this.failure = error as LockStoreError;
      return error as LockStoreError;
    } finally {
      this.inFlight = 0;
      this.busy = false;
    }
  }
}
