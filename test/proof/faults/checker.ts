import { readFileSync } from 'node:fs';
import type { HistoryEvent } from './harness/history.js';
import { entriesIn, turns } from './entries.js';
import { fences } from './fences.js';
import { askedIn, eventsOf, holdsIn, type Asked, type Hold } from './holds.js';
import { latches, openedIn } from './latches.js';
import { relays, resumedTwice } from './relays.js';
import { overrun } from '../time-bounds.js';

export interface Verdict {
  readonly violations: string[];
  readonly grants: number;
  /** Grants by kind, with downgrades and with waiters who saw a latch open. */
  readonly kinds: Record<string, number>;
  /** Works inside holds. */
  readonly entries: number;
  readonly refusals: number;
  /** Attempts to resume what somebody had resumed, which were refused. */
  readonly resumedTwice: number;
  readonly losses: number;
  readonly faults: Record<string, number>;
  /** The longest wait of a granted acquire that a fault of the kind fell into; `none` without any fault. */
  readonly longestWait: Record<string, number>;
  /** The least time from a holder's own end, by deadline or loss, to the next grant; Infinity for none. */
  readonly leastMargin: number;
  /** The longest time from an end to the next grant while somebody waited. */
  readonly longestGap: number;
  readonly lag: number;
  readonly ping: number;
}

/** Judges a history by what stands in the file, and by nothing else. */
export function checkHistory(path: string): Verdict {
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return check(lines.map((line) => JSON.parse(line) as HistoryEvent));
}

export function check(events: readonly HistoryEvent[]): Verdict {
  const bad: string[] = [];
  const lag = most(eventsOf(events, 'lag').map(({ ms }) => ms));
  const ping = most(eventsOf(events, 'ping').map(({ ms }) => ms));
  const asked = [...askedIn(events).values()];
  const entries = entriesIn(events);
  const holds = holdsIn(events, asked, entries, bad);
  bad.push(...turns(entries));
  const rules = new Map(eventsOf(events, 'rule').map((rule) => [rule.name, rule]));
  let [leastMargin, longestGap] = [Infinity, 0];
  for (const name of new Set(holds.map((hold) => hold.name))) {
    const { capacity = 1, gap = Infinity, overtakes = Infinity, settle = 0 } = rules.get(name) ?? {};
    const mine = holds.filter((hold) => hold.name === name);
    const waits = asked.filter((one) => one.name === name);
    bad.push(...overlaps(mine, capacity), ...fences(mine, capacity));
    if (overtakes < Infinity) bad.push(...overtaken(waits, overtakes, settle));
    mine.forEach((hold, index) => {
      const next = mine
        .slice(index + 1, index + 9)
        .find(({ start, units }) => start >= hold.end && units + hold.units > capacity);
      const ended = hold.endedBy === 'deadline' || hold.endedBy === 'loss';
      // Who gives back late, but before the next one came, shows nothing of the server's patience.
      if (next && !next.unsure && ended && hold.released > next.start)
        leastMargin = Math.min(leastMargin, next.start - hold.end);
      if (gap === Infinity) return;
      const bound = hold.end + gap + lag + ping;
      const waited = waits.filter(({ at, answeredAt }) => at < hold.end && answeredAt > hold.end);
      if (next && waited.length > 0) longestGap = Math.max(longestGap, next.start - hold.end);
      if (waited.some(({ answeredAt }) => answeredAt > bound) && !(next && next.start <= bound))
        bad.push(`${name}: nobody was granted within ${gap} ms after the end of ${hold.id}`);
    });
  }
  bad.push(
    ...relays(events, asked, holds, rules),
    ...latches(events),
    ...counters(events),
    ...expectations(events, asked, lag + ping),
  );
  for (const { process, message } of eventsOf(events, 'crash')) bad.push(`${process} failed: ${message}`);
  for (const { what, ms, bound } of eventsOf(events, 'bound'))
    bad.push(...overrun(what, ms, bound, lag, ping));
  for (const { what, ok } of eventsOf(events, 'claim')) if (!ok) bad.push(what);
  const faults: Record<string, number> = {};
  for (const { kind } of eventsOf(events, 'fault')) faults[kind] = (faults[kind] ?? 0) + 1;
  const count = (type: HistoryEvent['type']) => eventsOf(events, type).length;
  const [grants, refusals, losses] = [count('granted'), count('refused'), count('lost')];
  const longestWait = waitsByFault(events, asked);
  return {
    violations: bad,
    grants,
    kinds: grantsByKind(asked, openedIn(events)),
    entries: entries.length,
    refusals,
    resumedTwice: resumedTwice(events),
    losses,
    faults,
    longestWait,
    leastMargin,
    longestGap,
    lag,
    ping,
  };
}

function overlaps(holds: readonly Hold[], capacity: number): string[] {
  const points = holds.flatMap((hold) => [
    { at: hold.start, units: hold.units, hold },
    { at: hold.end, units: -hold.units, hold },
  ]);
  points.sort((a, b) => a.at - b.at || a.units - b.units);
  const bad: string[] = [];
  const held = new Set<Hold>();
  let sum = 0;
  for (const { units, hold } of points) {
    if (hold.end <= hold.start) continue; // excused
    sum += units;
    if (units < 0) held.delete(hold);
    else held.add(hold);
    if (units > 0 && sum > capacity)
      bad.push(`${hold.name}: ${[...held].map(({ id }) => id).join(' and ')} hold it at once`);
  }
  return bad;
}

/** Who saw others come later, from another process, and be served earlier, oftener than allowed. */
function overtaken(asked: readonly Asked[], allowed: number, settle: number): string[] {
  const granted = asked.filter((one) => one.granted);
  return granted.flatMap(({ id, process, at, answeredAt }) => {
    const times = granted.filter(
      (other) => other.process !== process && other.at > at + settle && other.answeredAt < answeredAt,
    ).length;
    return times > allowed ? [`${id} was overtaken ${times} times`] : [];
  });
}

/** The counter shows every accepted write, and none that was refused. */
function counters(events: readonly HistoryEvent[]): string[] {
  const answers = new Map(eventsOf(events, 'written').map(({ id, accepted }) => [id, accepted]));
  return eventsOf(events, 'counter').flatMap(({ name, value }) => {
    const writes = eventsOf(events, 'write').filter((write) => write.name === name);
    const sure = writes.filter(({ id }) => answers.get(id) === true).length;
    const unknown = writes.filter(({ id }) => !answers.has(id)).length;
    const right = value >= sure && value <= sure + unknown;
    return right
      ? []
      : [`${name}: the counter shows ${value} after ${sure} accepted writes (${unknown} unknown)`];
  });
}

function expectations(events: readonly HistoryEvent[], asked: readonly Asked[], delay: number): string[] {
  return eventsOf(events, 'expect').flatMap(({ name, after, within, what }) => {
    const grants = asked.flatMap((one) => (one.name === name && one.granted ? [one.granted.at] : []));
    const met = grants.some((at) => at >= after && at <= after + within + delay);
    return met ? [] : [`${what}: '${name}' was not granted within ${within} ms`];
  });
}

function waitsByFault(events: readonly HistoryEvent[], asked: readonly Asked[]): Record<string, number> {
  const longest: Record<string, number> = {};
  const faults = eventsOf(events, 'fault').sort((a, b) => a.at - b.at);
  let first = 0;
  for (const { at: from, granted } of [...asked].sort((a, b) => a.at - b.at)) {
    while (faults[first] && (faults[first]?.at ?? 0) < from - 1_000) first += 1;
    if (!granted) continue;
    const kinds: string[] = [];
    for (let index = first; (faults[index]?.at ?? Infinity) <= granted.at; index += 1)
      kinds.push(faults[index]?.kind ?? '');
    for (const kind of kinds.length > 0 ? kinds : ['none'])
      longest[kind] = Math.max(longest[kind] ?? 0, granted.at - from);
  }
  return longest;
}

function grantsByKind(asked: readonly Asked[], opened: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const { kind, follows, resumes, granted } of asked) {
    const word = follows !== undefined ? 'downgrade' : resumes !== undefined ? `resumed ${kind}` : kind;
    if (granted) kinds[word] = (kinds[word] ?? 0) + 1;
  }
  return { ...kinds, ...(opened > 0 ? { latch: opened } : {}) };
}

function most(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), 0);
}
