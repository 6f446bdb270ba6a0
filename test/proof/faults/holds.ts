import { heldByEntries, type Entry } from './entries.js';
import type { HistoryEvent, Kind } from './harness/history.js';

/** A time in which the API said "held": from the grant to the release, the reported loss or the last known deadline, whichever was first. */
export interface Hold {
  readonly id: string;
  readonly process: string;
  readonly name: string;
  readonly units: number;
  /** The hold that it goes on from, with its fence (downgrade). */
  readonly follows?: string | undefined;
  readonly invoked: number;
  start: number;
  end: number;
  endedBy: 'release' | 'loss' | 'deadline' | 'state';
  readonly fence: number | undefined;
  /** When it was given back, however late. */
  released: number;
  /** It began while others may still have believed in a state that the server had forgotten. */
  unsure: boolean;
}

/** One acquire and what came of it. */
export interface Asked {
  readonly id: string;
  readonly process: string;
  readonly name: string;
  readonly kind: Kind;
  readonly units: number;
  readonly follows?: string | undefined;
  /** The hold that it goes on with, after that was handed over. */
  readonly resumes?: string | undefined;
  readonly at: number;
  answeredAt: number;
  granted?: HistoryEvent & { type: 'granted' };
}

export function eventsOf<T extends HistoryEvent['type']>(events: readonly HistoryEvent[], type: T) {
  return events.filter((event): event is HistoryEvent & { type: T } => event.type === type);
}

export function askedIn(events: readonly HistoryEvent[]): Map<string, Asked> {
  const asked = new Map<string, Asked>();
  for (const { units = 1, kind = 'mutex', ...event } of eventsOf(events, 'acquire'))
    asked.set(event.id, { ...event, kind, units, answeredAt: Infinity });
  for (const event of [...eventsOf(events, 'granted'), ...eventsOf(events, 'refused')]) {
    const one = asked.get(event.id) as Asked;
    one.answeredAt = event.at;
    if (event.type === 'granted') one.granted = event;
  }
  return asked;
}

/** All holds in the order of their starts; what contradicts itself goes to `bad`. */
export function holdsIn(
  events: readonly HistoryEvent[],
  asked: Iterable<Asked>,
  entries: readonly Entry[],
  bad: string[],
): Hold[] {
  const entered = heldByEntries(entries);
  const holds = new Map<string, Hold>();
  for (const { granted, at: invoked, ...who } of asked)
    if (granted?.held) {
      // A downgrade leaves no gap: the reader is one from the moment at which the writer was none.
      const start = who.follows === undefined ? granted.at : invoked;
      const { until: end, fence } = granted;
      holds.set(who.id, {
        ...who,
        invoked,
        start,
        end,
        endedBy: 'deadline',
        fence,
        released: Infinity,
        unsure: false,
      });
    }
  const over = new Map<string, HistoryEvent & { type: 'release' | 'lost' }>();
  for (const event of events)
    if (
      (event.type === 'release' || event.type === 'lost') &&
      event.at < (over.get(event.id)?.at ?? Infinity)
    )
      over.set(event.id, event);
  for (const { id, at, held, until } of eventsOf(events, 'sample')) {
    const hold = holds.get(id);
    if (!hold || !held) continue;
    hold.end = Math.max(hold.end, at, until);
    if (at > (over.get(id)?.at ?? Infinity)) bad.push(`${id} is held after its end was reported`);
    if (until < at) bad.push(`${id} is held after its own deadline`);
  }
  for (const { id, at } of eventsOf(events, 'release')) {
    const hold = holds.get(id);
    if (hold) hold.released = at;
  }
  for (const hold of holds.values()) {
    const end = over.get(hold.id);
    if (end && end.at < hold.end) {
      hold.end = end.at;
      // What shutdown takes away is released in the same moment: that is no matter of clocks.
      hold.endedBy = end.type === 'lost' && end.reason !== 'closed' ? 'loss' : 'release';
    }
    // What is given back is kept for the entries that were begun through it; what is lost is not.
    const used = entered.get(hold.id) ?? -Infinity;
    if (end?.type === 'lost' && used > end.at)
      bad.push(`${hold.id} is held by an entry after its loss was told`);
    else if (used > hold.end) hold.end = hold.released = used;
    hold.end = Math.max(hold.end, hold.start + 0.001); // a claim is never of no length
    for (const { at, until } of eventsOf(events, 'state-lost')) excuse(hold, at, until);
  }
  return [...holds.values()].sort((a, b) => a.start - b.start);
}

/** What the server forgot at `at` may be believed up to `until`: nobody can be blamed for an overlap in between. */
function excuse(hold: Hold, at: number, until: number): void {
  if (hold.start < at && hold.end > at) {
    hold.end = at;
    hold.endedBy = 'state';
  }
  if (hold.start >= at && hold.start < until) {
    hold.unsure = true;
    hold.start = Math.min(until, hold.end);
  }
}
