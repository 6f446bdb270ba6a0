import type pg from 'pg';
import { audit, type Audit } from './audit.js';
import { sendCrowd, type Answer } from './crowd.js';
import type { ShopProcess } from './shop-process.js';

const SOLD = 201;

export interface Race {
  readonly sku: string;
  readonly buyers: number;
  readonly items: number;
  readonly lock: 'on' | 'off';
}

export interface Outcome extends Audit {
  readonly race: Race;
  readonly p50: number;
  readonly p99: number;
  /** Answered buyers a second, whatever the answer was. */
  readonly perSecond: number;
  /** Answers that are neither "sold to you" nor "sold out", by status. */
  readonly failures: Readonly<Record<string, number>>;
  /** The longest time between two buyers who were told that they bought, in milliseconds. */
  readonly interruption: number;
  /** When the master was killed: how long it took until another one had its place, in milliseconds. */
  readonly replacedAfter?: number;
}

/** What is done in the middle of a race, when a third of the items are sold; resolves with how long it took. */
export type Accident = () => Promise<number>;

/** Puts the items on sale, lets the crowd in and asks the database what came of it. */
export async function runRace(
  race: Race,
  processes: readonly ShopProcess[],
  database: pg.Client,
  signal: AbortSignal,
  accident?: Accident,
): Promise<Outcome> {
  await restock(race, processes[0] as ShopProcess, signal);
  const began = performance.now();
  let sold = 0;
  let replaced: Promise<number> | undefined;
  const answers = await sendCrowd(processes, race.sku, race.buyers, race.lock, signal, (status) => {
    if (status === SOLD) sold += 1;
    if (sold * 3 >= race.items) replaced ??= accident?.();
  });
  const seconds = (performance.now() - began) / 1000;
  const found = await audit(database, race.sku);
  return {
    ...found,
    race,
    p50: percentile(answers, 0.5),
    p99: percentile(answers, 0.99),
    perSecond: answers.length / seconds,
    failures: failuresOf(answers),
    interruption: longestPause(answers),
    ...(replaced && { replacedAfter: await replaced }),
  };
}

/** Sold exactly what there was, every order with a fence of its own, each larger than the one before. */
export function isExact({ race, sold, left, oversold, fences, increasing, failures }: Outcome): boolean {
  const exact = sold === race.items && left === 0 && oversold === 0;
  return exact && fences === sold && increasing && Object.keys(failures).length === 0;
}

async function restock({ sku, items }: Race, shop: ShopProcess, signal: AbortSignal): Promise<void> {
  const response = await fetch(`${shop.url}/flash-sale/${sku}/restock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ quantity: items }),
    signal,
  });
  if (!response.ok)
    throw new Error(`The sample refused to restock: ${response.status} ${await response.text()}`);
}

function percentile(answers: readonly Answer[], share: number): number {
  const sorted = answers.map(({ waited }) => waited).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] as number;
}

function failuresOf(answers: readonly Answer[]): Record<string, number> {
  const failures: Record<string, number> = {};
  for (const { status } of answers) {
    if (status !== SOLD && status !== 409) failures[status] = (failures[status] ?? 0) + 1;
  }
  return failures;
}

function longestPause(answers: readonly Answer[]): number {
  const times = answers
    .flatMap(({ status, waited }) => (status === SOLD ? [waited] : []))
    .sort((a, b) => a - b);
  return times.slice(1).reduce((most, at, index) => Math.max(most, at - (times[index] as number)), 0);
}
