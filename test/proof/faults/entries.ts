import type { HistoryEvent } from './harness/history.js';

/** Work inside a hold, or inside another entry of it: from its first step to its last. */
export interface Entry {
  readonly id: string;
  /** The hold, or the entry, that it was begun through. */
  readonly of: string;
  readonly at: number;
  /** Infinity for one that never ended: its process was killed. */
  readonly left: number;
  /** The last time at which it was seen to be held. */
  readonly heldUntil: number;
}

export function entriesIn(events: readonly HistoryEvent[]): Entry[] {
  const ends = new Map<string, HistoryEvent & { type: 'left' }>();
  for (const event of events) if (event.type === 'left') ends.set(event.id, event);
  return events.flatMap((event) => {
    if (event.type !== 'enter') return [];
    const { id, of, at, held } = event;
    const end = ends.get(id);
    // A lease that is over never comes back, so one that is held in the end was held all the time.
    const heldUntil = end?.held ? end.at : held ? at : -Infinity;
    return [{ id, of, at, left: end?.at ?? Infinity, heldUntil }];
  });
}

/** Until when each hold was used by entries that said that it is held. */
export function heldByEntries(entries: readonly Entry[]): Map<string, number> {
  const parents = new Map(entries.map(({ id, of }) => [id, of]));
  const until = new Map<string, number>();
  for (const { of, heldUntil } of entries) {
    let root = of;
    for (let above = parents.get(root); above !== undefined; above = parents.get(root)) root = above;
    until.set(root, Math.max(until.get(root) ?? -Infinity, heldUntil));
  }
  return until;
}

/** Entries of one hold take turns, and the turn of each lasts until what was begun through it has ended as well. */
export function turns(entries: readonly Entry[]): string[] {
  const begunThrough = new Map<string, Entry[]>();
  for (const entry of entries) {
    const siblings = begunThrough.get(entry.of);
    if (siblings) siblings.push(entry);
    else begunThrough.set(entry.of, [entry]);
  }
  const endOf = ({ id, left }: Entry): number =>
    (begunThrough.get(id) ?? []).reduce((end, inner) => Math.max(end, endOf(inner)), left);
  const bad: string[] = [];
  for (const siblings of begunThrough.values()) {
    siblings.sort((a, b) => a.at - b.at);
    siblings.forEach((entry, index) => {
      const before = siblings[index - 1];
      if (before && endOf(before) > entry.at)
        bad.push(`${before.id} and ${entry.id} work at once under ${entry.of}`);
    });
  }
  return bad;
}
