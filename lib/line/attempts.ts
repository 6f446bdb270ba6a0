/** The attempts of one name that wait at the store: how many there are, and for which callers. */
import type { Chain } from '../base/chain.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import type { Caller, InTheWay } from './caller.js';
import type { LineSetup } from './line-setup.js';
import { exclusive, sameUnits, type Terms } from './request.js';

/** How many attempts of one name wait at the store at the same time: those of so many callers at the head of the line. */
export const MOST_ATTEMPTS = 16;
// Most names have no attempt most of the time. They share this list, which nobody changes.
const NONE: readonly Attempt[] = [];

/** The line that the attempts are for. */
export interface AttemptLine extends AttemptOwner {
  readonly name: string;
  readonly setup: LineSetup;
}

/** The places of this process in the store's queue for one name. */
export class Attempts {
  private waiting = NONE;

  get none(): boolean {
    return this.waiting.length === 0;
  }

  /**
   * Keeps as many attempts as the head of the line needs, in the order of the line, and gives up the others. Nothing is
   * needed behind the first exclusive caller; with `willHandOff` that caller gets the lock without the store.
   */
  cover(line: AttemptLine, callers: Chain<Caller>, willHandOff: boolean): void {
    const unused = [...this.waiting];
    const uncovered: Terms[] = [];
    // No caller has a place in the queue before that of a caller who stands before it; who asks once has none.
    let from = 0;
    let caller = callers.first;
    for (let room = MOST_ATTEMPTS; caller && room > 0; caller = caller.after, room -= 1) {
      const { terms } = caller.request;
      const alone = exclusive(terms);
      if (alone && willHandOff) break;
      const found = unused.findIndex(
        (attempt, place) => (terms.once || place >= from) && attempt.suits(terms),
      );
      if (found < 0) uncovered.push(terms);
      else {
        unused.splice(found, 1)[0]!.servesFor(terms);
        if (!terms.once) from = found;
        else if (found < from) from -= 1;
      }
      if (alone) break;
    }
    // First, so that nobody is refused what these have.
    for (const attempt of unused) {
      this.remove(attempt);
      attempt.abandon();
    }
    for (const terms of uncovered) this.start(line, terms);
  }

  /** How many of them have no answer yet: their callers may find the lock free. */
  get asking(): number {
    return this.waiting.filter(({ asking }) => asking).length;
  }

  /** Whether a newcomer has to wait for others in this line, as far as this process knows. */
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

  /** Who holds the lock, as the store said. */
  holderFor(wanted: Terms): InTheWay {
    const attempt = this.find(wanted);
    return { identity: attempt?.holderIdentity ?? '', left: attempt?.retryAfter };
  }

  /** Lets the store know at once what has changed about those who wait. */
  tell(): void {
    this.waiting[0]?.ask();
  }

  remove(attempt: Attempt): void {
    const others = this.waiting.filter((each) => each !== attempt);
    this.waiting = others.length > 0 ? others : NONE;
  }

  private start(line: AttemptLine, terms: Terms): void {
    const attempt = new Attempt(line.setup, line.name, terms, line);
    attempt.ask();
    this.waiting = [...this.waiting, attempt]; // a push would make room for sixteen more
  }
}

/** Those of all lines that have none, which is most of them most of the time. */
export const NO_ATTEMPTS = new Attempts();
