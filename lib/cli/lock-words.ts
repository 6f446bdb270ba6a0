import type { LockReport } from '../plain.js';
import { harmless, span } from './output.js';

type Person = { readonly host: string; readonly pid: number; readonly label?: string };

/** `host:pid label` */
export function person({ host, pid, label }: Person): string {
  return harmless(`${host}:${pid}${label === undefined ? '' : ` ${label}`}`);
}

/** Whether anybody holds the name or waits for it. */
export function inUse({ holders, queue }: LockReport): boolean {
  return holders.length + queue.length > 0;
}

/** For how long the one who waits longest has waited, in milliseconds; 0 when nobody waits. */
export function longestWait({ queue, at }: LockReport): number {
  return queue[0] ? Math.max(0, at.getTime() - queue[0].since.getTime()) : 0;
}

/** The first holder and how many more there are; `-` for none. */
export function holdersOf({ holders }: LockReport): string {
  const [first, ...more] = holders;
  if (!first) return '-';
  return person(first) + (more.length > 0 ? ` and ${more.length} more` : '');
}

const COLUMNS = [
  ['KIND', 9],
  ['HELD FOR', 13],
  ['LEFT', 8],
  ['FENCE', 16],
  ['QUEUE', 5],
  ['HOLDER', 28],
] as const;

/** The heading of a table of names. */
export function heading(): string {
  return [...COLUMNS.map(([title, width]) => title.padEnd(width)), 'NAME'].join('  ');
}

/** A row of a table of names. The name stands last, since it may be long. */
export function row(report: LockReport): string {
  const { name, holders, queue, at } = report;
  const [first] = holders;
  const cells = [
    first?.kind ?? queue[0]?.kind ?? '-',
    first ? span(at.getTime() - first.since.getTime()) : '-',
    first ? span(first.remaining) : '-',
    first ? String(first.fences[0]) : '-',
    String(queue.length),
    holdersOf(report) +
      (first?.revokeReason === undefined ? '' : ' (revoked)') +
      (first?.mayLinger ? ' (may linger)' : ''),
  ];
  return [...cells.map((cell, index) => cell.padEnd(COLUMNS[index]![1])), harmless(name)].join('  ');
}

/** What somebody may have forgotten who finds nothing. */
export const WHERE =
  "The application may have a namespace of its own: --namespace names it, 'lock' by default.";

/** All about one name, as lines. */
export function card(report: LockReport): string[] {
  const { name, key, holders, queue, at, permits, inUse: used, fence } = report;
  const time = (since: Date): string =>
    `since ${since.toISOString()} (${span(at.getTime() - since.getTime())})`;
  const share = (each: { kind: string; units: number }): string =>
    each.kind === 'semaphore' ? `${each.units} of ${permits ?? used} permits` : each.kind;
  return [
    `${harmless(name)}  (key ${harmless(key)})`,
    '',
    holders.length === 0
      ? 'Nobody holds it.'
      : `Held by ${holders.length === 1 ? 'one process' : `${holders.length} processes`}:`,
    ...holders.flatMap((each) => [
      `  ${person(each)}`,
      `    ${share(each)}, fence ${each.fences[0]}, ${time(each.since)}`,
      `    ${span(each.remaining)} left unless it is renewed`,
      ...(each.revokeReason === undefined
        ? []
        : [`    revoked: ${harmless(each.revokeReason) || 'the reason is not known'}`]),
      ...(each.mayLinger ? ['    kept after its last use: perhaps nobody works under it'] : []),
    ]),
    '',
    queue.length === 0 ? 'Nobody waits for it.' : `Waiting: ${queue.length}, in this order:`,
    ...queue.flatMap((each, index) => [
      `  ${index + 1}. ${person(each)}  ${share(each)}, ${time(each.since)}`,
      ...(each.holds ?? []).map(
        (held) =>
          `     meanwhile it holds ${harmless(held.name)} (fence ${held.fence})` +
          (held.waitsFor === name ? '' : `, for a call that waits for ${harmless(held.waitsFor)}`),
      ),
    ]),
    ...(fence === undefined
      ? []
      : ['', `${inUse(report) ? 'Last fence used or reserved' : 'Last fence'}: ${fence}`]),
  ];
}
