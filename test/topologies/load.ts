import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import type { ServerProcess } from '../../tools/redis/server-process.js';
import { check } from '../proof/faults/checker.js';
import { Book } from '../proof/faults/harness/book.js';
import { HistoryFile, monotonic, type HistoryEvent } from '../proof/faults/harness/history.js';
import { LagMeter } from '../proof/faults/harness/lag-meter.js';
import { OwnContender } from '../proof/faults/harness/own-contender.js';
import { askedIn, holdsIn } from '../proof/faults/holds.js';
import { pass } from '../support/eventually.js';
import { PingMeter } from './ping-meter.js';

const NAMES = Array.from({ length: 8 }, (_, index) => `name-${index}`);
const TTL = 10_000;
const WAIT = 20_000;
const HOLD = 3;

export type Redis = NonNullable<LockServiceOptions['redis']>;

/** The longest time in which nobody held a name although callers waited for it, and when it was over. */
export interface Gap {
  readonly ms: number;
  readonly until: number;
}

/** What a round of load showed. Times are milliseconds. */
export interface LoadVerdict {
  /** Overlaps, falling fences and what else the checker finds. */
  readonly violations: readonly string[];
  readonly overlaps: number;
  readonly grants: number;
  readonly refusals: readonly string[];
  readonly losses: number;
  readonly gaps: ReadonlyMap<string, Gap>;
  /** The longest gap of the median name, and of all names. */
  readonly interruption: number;
  readonly blocked: number;
  readonly longestWait: number;
  /** The largest delays of event loops and of PING at servers to which nothing was done. */
  readonly lag: number;
  readonly ping: number;
  readonly warnings: readonly string[];
}

/** Two services, each with a caller for each of some names, that take and give all the time; the history is judged. */
export class Load {
  private readonly directory = mkdtempSync(join(tmpdir(), 'lock-load-'));
  private readonly path = join(this.directory, 'history.ndjson');
  private readonly history = new HistoryFile(this.path);
  private readonly meter = new LagMeter(this.history, 'load');
  private readonly pings: PingMeter;
  private readonly warnings: string[] = [];
  private readonly services: { book: Book; contender: OwnContender }[];
  private readonly stopped = new AbortController();
  private readonly callers: Promise<void>[] = [];

  constructor(
    private readonly redis: Redis,
    servers: readonly ServerProcess[] = [],
    private readonly names: readonly string[] = NAMES,
  ) {
    this.pings = new PingMeter(this.history, servers);
    this.services = ['a', 'b'].map((label) => this.open(label));
  }

  /** One more service takes part: it finds its own way to the servers, wherever the others are. */
  async join(): Promise<void> {
    const service = this.open('newcomer');
    this.services.push(service);
    await service.contender.ready();
    for (const name of this.names) this.callers.push(this.call(service.book, name));
  }

  private open(label: string): { book: Book; contender: OwnContender } {
    const warn = (message: string): void => void this.warnings.push(message);
    const contender = new OwnContender(this.redis, {}, warn);
    return { contender, book: new Book(this.history, label, contender) };
  }

  /** Resolves when all names were granted. */
  async begin(): Promise<void> {
    await Promise.all(this.services.map(({ contender }) => contender.ready()));
    for (const { book } of this.services)
      for (const name of this.names) {
        await book.give((await book.take(name, this.terms())).id);
        this.callers.push(this.call(book, name));
      }
  }

  fault(kind: string): void {
    this.history.add({ type: 'fault', kind, at: monotonic() });
  }

  async end(): Promise<LoadVerdict> {
    const endedAt = monotonic();
    this.stopped.abort();
    await Promise.all(this.callers);
    for (const { book } of this.services) book.stop();
    await Promise.all(this.services.map(({ contender }) => contender.close()));
    this.meter.stop();
    this.pings.stop();
    this.history.close();
    const lines = readFileSync(this.path, 'utf8').split('\n').filter(Boolean);
    rmSync(this.directory, { recursive: true });
    const events = lines.map((line) => JSON.parse(line) as HistoryEvent);
    const { violations, grants, losses, lag, ping, longestWait } = check(events);
    const gaps = gapsIn(events, endedAt);
    const sorted = [...gaps.values()].map(({ ms }) => ms).sort((a, b) => a - b);
    const refusals = events.flatMap((event) =>
      event.type === 'refused' && event.code !== 'LOCK_BUSY:aborted'
        ? [`${event.code} ${event.message}`]
        : [],
    );
    return {
      violations,
      overlaps: violations.filter((violation) => violation.includes('hold it at once')).length,
      grants,
      refusals,
      losses,
      gaps,
      interruption: sorted[sorted.length >> 1] ?? 0,
      blocked: sorted.at(-1) ?? 0,
      longestWait: Math.max(...Object.values(longestWait)),
      lag,
      ping,
      warnings: this.warnings,
    };
  }

  private terms() {
    return { ttl: TTL, wait: WAIT, renew: true, signal: this.stopped.signal };
  }

  private async call(book: Book, name: string): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const { id, refused } = await book.take(name, this.terms());
      await pass(HOLD);
      if (!refused) await book.give(id);
    }
  }
}

/** How long nobody was granted the median name from a moment on, by the gap that is its longest. */
export function interruptionSince({ gaps }: LoadVerdict, from: number): number {
  const since = [...gaps.values()].map(({ ms, until }) => Math.max(0, Math.min(ms, until - from)));
  return since.sort((a, b) => a - b)[since.length >> 1] ?? 0;
}

/** The longest gap of each name: all names have callers that wait, all the time until `endedAt`. */
function gapsIn(events: readonly HistoryEvent[], endedAt: number): Map<string, Gap> {
  const gaps = new Map<string, Gap>();
  const ends = new Map<string, number>();
  const close = (name: string, until: number): void => {
    const ms = until - (ends.get(name) ?? until);
    if (ms >= (gaps.get(name)?.ms ?? 0)) gaps.set(name, { ms, until });
  };
  for (const { name, start, end } of holdsIn(events, askedIn(events).values(), [], [])) {
    if (start > endedAt) continue;
    close(name, start);
    ends.set(name, Math.max(ends.get(name) ?? start, end));
  }
  for (const name of ends.keys()) close(name, endedAt); // nobody was granted it again
  return gaps;
}
