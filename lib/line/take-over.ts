/** How the hold of one attempt id goes on under another: when it is handed over, and when it is resumed. */
import type { CancelTimer } from '../base/clock.js';
import { LockStoreError } from '../base/errors.js';
import type { TakeOverAnswer, TakeOverOperation } from '../store/lock-operation.js';
import type { Answered } from '../store/lock-store.js';
import { commandEnd, commandTimeout, micros } from '../store/server-clock.js';
import type { LineSetup } from './line-setup.js';
import type { Terms } from './request.js';

const RETRY = 20;
const SLOWEST_RETRY = 500;

/** An answer that says what became of the hold. */
export type TakenOver = Answered<TakeOverOperation> &
  Exclude<TakeOverAnswer, { outcome: 'late' }> & { readonly replicas?: number };

/** One take-over at the store, under one new id: it is asked for until the store has answered. */
export class TakeOver {
  /** Server time until which a command without an answer may still be read; 0 for none. */
  private unanswered = 0;
  private inFlight = 0;
  /** Whether the store has granted it, and perhaps to too few replicas. */
  private granted = false;
  private over = false;
  private cancelPause: (() => void) | undefined;
  private end = 0;

  constructor(
    private readonly setup: LineSetup,
    private readonly name: string,
    private readonly terms: Terms,
    /** The id that has the hold afterwards. */
    readonly id: string,
    /** The id that has it now, and the last fence that it has used; 0 for none. */
    private readonly from: { readonly id: string; readonly used: number },
  ) {}

  /** Whether the hold may be with the new id, now or later. */
  get doubtful(): boolean {
    return this.granted || this.doubt > 0;
  }

  private get doubt(): number {
    return Math.max(this.unanswered, this.inFlight);
  }

  /**
   * Asks, and asks again until the local time `until`. Rejects with the LockStoreError of the last command; when the new id
   * may have the hold then (`doubtful`), call `giveUp`.
   */
  async ask(until: number): Promise<TakenOver> {
    const { clock } = this.setup;
    for (let pause = RETRY; ; pause = Math.min(2 * pause, SLOWEST_RETRY)) {
      const answer = await this.send(until - clock.now()).catch((error: LockStoreError) => error);
      if (this.over) throw new LockStoreError(`The take-over of '${this.name}' was given up.`, this.name);
      if (!(answer instanceof LockStoreError)) return answer;
      const futile = answer.refused && !this.doubtful;
      if (futile || clock.now() + pause >= until) throw answer;
      this.setup.waiting.keep();
      await this.pause(pause);
    }
  }

  /** Nobody wants it any more: what the store has of the new id, or may still get, is given back. */
  giveUp(): void {
    if (this.over) return;
    const { doubtful } = this;
    this.over = true;
    this.cancelPause?.();
    if (doubtful) this.releaseAtStore();
  }

  /** Rejects when the outcome is not known, or not final. */
  private async send(left: number): Promise<TakenOver> {
    const { name, terms } = this;
    const { store, clock } = this.setup;
    const timeout = commandTimeout(terms.ttl, left > 0 ? left : Infinity);
    const sample = store.sample(name) ?? (await store.measure(name, timeout));
    if (this.over) throw new LockStoreError('Nobody wants it any more.', name);
    const now = clock.now();
    this.end = now + timeout + terms.ttl + terms.guard;
    const answer = await this.execute(commandEnd(sample, now, timeout), timeout);
    // It says nothing of a command before it that was not answered, and may have been carried out.
    if (answer.outcome === 'late')
      throw new LockStoreError(`The command to take over '${name}' reached the server too late.`, name);
    if (answer.now > this.unanswered) this.unanswered = 0;
    this.granted = answer.outcome === 'granted' || answer.outcome === 'unacknowledged';
    if (this.over && this.granted) this.releaseAtStore();
    // The same id asks again, which writes again, until enough replicas have it.
    if (answer.outcome === 'unacknowledged') throw answer.error;
    return answer;
  }

  private async execute(notAfter: number, timeout: number): Promise<Answered<TakeOverOperation>> {
    const { name, id, from, terms } = this;
    const { ttl, guard, units, identity } = terms;
    const times = { ttl: micros(ttl), guard: micros(guard), block: micros(ttl) };
    const ids = { id, from: from.id, used: from.used };
    const operation = { kind: 'takeOver', ...ids, units, ...times, identity, notAfter } as const;
    this.inFlight = notAfter;
    try {
      return await this.setup.store.execute(name, operation, timeout);
    } catch (error) {
      if (!(error as LockStoreError).refused) this.unanswered = this.doubt;
      throw error;
    } finally {
      this.inFlight = 0;
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel: CancelTimer = this.setup.clock.after(ms, resolve);
      this.cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }

  private releaseAtStore(): void {
    const { name, id, terms, end } = this;
    const doubt = (): number => this.doubt;
    void this.setup.pendingReleases.send({
      ...{ name, id, used: 0, keep: 0, done: 0, ttl: terms.ttl, end },
      get doubt() {
        return doubt();
      },
    });
  }
}
