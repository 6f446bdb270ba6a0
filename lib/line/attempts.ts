/** The attempts of one name that wait at the store: how many there are, and for whom. */
import type { Chain } from '../base/chain.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import type { Caller, InTheWay } from './caller.js';
import type { LineSetup } from './line-setup.js';
import { exclusive, sameUnits, type Terms } from './request.js';

// How many shared attempts of one name wait at the store at a time.
const MOST = 16;
// Most names have none most of the time: they share this one, which nobody changes.
const NONE: readonly Attempt[] = [];

/** The places of this process in the store's queue for one name. */
export class Attempts {
  private waiting = NONE;

  constructor(
    private readonly name: string,
    private readonly setup: LineSetup,
    private readonly owner: AttemptOwner,
  ) {}

  get none(): boolean {
    return this.waiting.length === 0;
  }

  /**
   * Keeps as many attempts as the head of the line needs, in its order, and gives up the others. An exclusive
   * caller is the last that counts; `handsOn` says that it will have the lock without the store.
   */
  cover(callers: Chain<Caller>, handsOn: boolean): void {
    if (this.none && !callers.first) return; // as after most grants
    const unused = [...this.waiting];
    let caller = callers.first;
    for (let room = MOST; caller && room > 0; caller = caller.after, room -= 1) {
      const { terms } = caller.request;
      const alone = exclusive(terms);
      if (alone && handsOn) break;
      const found = unused.findIndex(
        (attempt) => sameUnits(attempt.terms, terms) && attempt.terms.once === terms.once,
      );
      if (found >= 0) unused.splice(found, 1);
      else this.start(terms);
      if (alone) break;
    }
    for (const attempt of unused) {
      this.remove(attempt);
      attempt.abandon();
    }
  }

  /** Whether a newcomer finds others before it for whom it has to wait, as far as is known here. */
  precede(callers: Chain<Caller>, newcomer: Terms): boolean {
    if (callers.size === 0) return false;
    if (exclusive(newcomer) || this.waiting.some(({ retryAfter }) => retryAfter !== undefined)) return true;
    for (let caller = callers.first; caller; caller = caller.after)
      if (exclusive(caller.request.terms)) return true;
    return false;
  }

  find(wanted: Terms): Attempt | undefined {
    return this.waiting.find(({ terms }) => sameUnits(terms, wanted));
  }

  withId(id: string): Attempt | undefined {
    return this.waiting.find((attempt) => attempt.id === id);
  }

  wake(): void {
    for (const attempt of this.waiting) attempt.wake();
  }

  /** Whom the store named as the holder. */
  holderFor(wanted: Terms): InTheWay {
    const attempt = this.find(wanted);
    return { who: attempt?.holder ?? '', left: attempt?.retryAfter };
  }

  remove(attempt: Attempt): void {
    const others = this.waiting.filter((each) => each !== attempt);
    this.waiting = others.length > 0 ? others : NONE;
  }

  private start(terms: Terms): void {
    const attempt = new Attempt(this.setup, this.name, terms, this.owner);
    attempt.ask();
    this.waiting = [...this.waiting, attempt]; // a push would make room for sixteen more
  }
}
