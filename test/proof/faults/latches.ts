import type { HistoryEvent } from './harness/history.js';
import { eventsOf } from './holds.js';

/** The server's clock and the host's may differ by so much over one ttl. */
const SLACK = 50;

/** The time in which something took effect, if it did: from the question to the answer. */
interface Span {
  readonly at: number;
  readonly doneAt: number;
}

/** From a trySetCount that may have set it until the latch was forgotten for certain. */
interface Generation extends Span {
  readonly count: number;
  readonly until: number;
}

/** What was asked of one latch. */
class LatchHistory {
  readonly generations: Generation[] = [];
  readonly downs: (Span & { by: string; left: number | undefined })[] = [];
  readonly passed: (Span & { id: string })[] = [];

  /** Whether there was a moment at which it may have shown `left` or less, as far as anybody counted it down. */
  mayShow({ at, doneAt }: Span, left: number): boolean {
    return this.generations.some((one) => {
      if (one.at > doneAt || one.until < at) return false;
      const counted = this.downs.filter((down) => down.at <= doneAt && down.doneAt >= one.at);
      return one.count - new Set(counted.map(({ by }) => by)).size <= left;
    });
  }
}

/** How many waiters were told that a latch is open. */
export function openedIn(events: readonly HistoryEvent[]): number {
  return eventsOf(events, 'latch-answer').filter(({ opened }) => opened).length;
}

/** Nobody passes a latch that was not counted down to zero since it was set, and each id counts once. */
export function latches(events: readonly HistoryEvent[]): string[] {
  return [...historiesIn(events)].flatMap(([name, history]) => [
    ...history.passed
      .filter((wait) => !history.mayShow(wait, 0))
      .map(({ id }) => `${name}: ${id} passed the latch while it was closed`),
    ...history.downs
      .filter((down) => down.left !== undefined && !history.mayShow(down, down.left))
      .map(({ by, left }) => `${name}: ${by} was told that ${left} are left, but fewer have counted`),
  ]);
}

function historiesIn(events: readonly HistoryEvent[]): Map<string, LatchHistory> {
  const answers = new Map(eventsOf(events, 'latch-answer').map((answer) => [answer.id, answer]));
  const losses = eventsOf(events, 'state-lost').filter(({ maybe }) => !maybe); // what may be there may be counted
  const histories = new Map<string, LatchHistory>();
  const of = (name: string): LatchHistory => {
    const history = histories.get(name) ?? new LatchHistory();
    histories.set(name, history);
    return history;
  };
  for (const { id, name, at, count, ttl } of eventsOf(events, 'latch-set')) {
    const answer = answers.get(id);
    if (answer?.set === false) continue;
    const doneAt = answer?.at ?? Infinity; // unanswered: it may be read at any time
    const lost = losses.filter(({ at: time, from = time }) => from > doneAt).map(({ at: time }) => time);
    const until = Math.min(doneAt + ttl + SLACK, ...lost);
    of(name).generations.push({ at, doneAt, count, until });
  }
  for (const { id, name, at, by } of eventsOf(events, 'latch-down')) {
    const answer = answers.get(id);
    of(name).downs.push({ at, doneAt: answer?.at ?? Infinity, by, left: answer?.left });
  }
  for (const { id, name, at } of eventsOf(events, 'latch-wait')) {
    const answer = answers.get(id);
    if (answer?.opened) of(name).passed.push({ id, at, doneAt: answer.at });
  }
  return histories;
}
