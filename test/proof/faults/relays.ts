import { eventsOf, type Asked, type Hold } from './holds.js';
import type { HistoryEvent } from './harness/history.js';

type Rules = ReadonlyMap<string, { readonly capacity?: number }>;

/**
 * What was handed over is resumed once, with a larger fence and the note of its giver, and nobody gets in between. Nothing
 * of that is promised when the server has forgotten what it knew.
 */
export function relays(
  events: readonly HistoryEvent[],
  asked: readonly Asked[],
  holds: readonly Hold[],
  rules: Rules,
): string[] {
  const forgotten = eventsOf(events, 'state-lost');
  const noted = new Set(eventsOf(events, 'noted').map(({ id }) => id));
  const byId = new Map(holds.map((hold) => [hold.id, hold]));
  const byName = new Map<string, Hold[]>();
  for (const hold of holds) {
    const same = byName.get(hold.name);
    if (same) same.push(hold);
    else byName.set(hold.name, [hold]);
  }
  const resumed = new Map<string, string>();
  const bad: string[] = [];
  for (const { id, name, resumes, granted } of asked) {
    if (resumes === undefined || !granted) continue;
    const [giver, hold] = [byId.get(resumes), byId.get(id)];
    const [from, to] = [giver?.start ?? -Infinity, hold?.end ?? granted.at];
    if (forgotten.some(({ at, until, from: known = at }) => until >= from && known <= to)) continue;
    const first = resumed.get(resumes);
    if (first !== undefined) bad.push(`${name}: ${first} and ${id} have both resumed ${resumes}`);
    resumed.set(resumes, id);
    if (noted.has(resumes) && granted.previous !== resumes)
      bad.push(`${name}: ${id} found the note '${granted.previous ?? ''}', not that of ${resumes}`);
    if (!giver || !hold) continue;
    if ((hold.fence ?? 0) <= (giver.fence ?? 0))
      bad.push(`${name}: the fence ${hold.fence} of ${id} is not above ${giver.fence} of ${resumes}`);
    const { capacity = 1 } = rules.get(name) ?? {};
    for (const other of between(byName.get(name) ?? [], giver.end, hold.start))
      if (other.units + hold.units > capacity)
        bad.push(`${name}: ${other.id} got in between ${resumes} and ${id}, who resumed it`);
  }
  return bad;
}

/** Those of `holds`, which are in the order of their starts, that begin in between. */
function* between(holds: readonly Hold[], from: number, to: number): Generator<Hold> {
  let [low, high] = [0, holds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((holds[middle]?.start ?? Infinity) <= from) low = middle + 1;
    else high = middle;
  }
  for (let hold = holds[low]; hold && hold.start < to; hold = holds[(low += 1)]) yield hold;
}

/** How often somebody was refused since another had resumed it. */
export function resumedTwice(events: readonly HistoryEvent[]): number {
  const resumes = new Set(eventsOf(events, 'acquire').flatMap(({ id, resumes: of }) => (of ? [id] : [])));
  return eventsOf(events, 'refused').filter(({ id, code }) => resumes.has(id) && code === 'LOCK_LOST:taken')
    .length;
}
