import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisOptions } from 'ioredis';
import { check } from '../proof/faults/checker.js';
import { Book } from '../proof/faults/harness/book.js';
import { HistoryFile, monotonic, type HistoryEvent } from '../proof/faults/harness/history.js';
import { LagMeter } from '../proof/faults/harness/lag-meter.js';
import { OwnContender } from '../proof/faults/harness/own-contender.js';
import { pass } from '../support/eventually.js';

const NAMES = Array.from({ length: 8 }, (_, index) => `name-${index}`);
const TTL = 10_000;
const WAIT = 20_000;
const HOLD = 3;

/** What a round of load showed. */
export interface LoadVerdict {
  /** Overlaps, falling fences and what else the checker finds. */
  readonly violations: readonly string[];
  readonly overlaps: number;
  readonly grants: number;
  readonly refusals: readonly string[];
  readonly losses: number;
  /** The longest time in which a name was granted to nobody although callers waited: of all names the least, and the most. */
  readonly interruption: number;
  readonly blocked: number;
  readonly lag: number;
  readonly warnings: readonly string[];
}

/** Two services, each with a caller for each of some names, that take and give all the time; the history is judged. */
export class Load {
  private readonly directory = mkdtempSync(join(tmpdir(), 'lock-load-'));
  private readonly path = join(this.directory, 'history.ndjson');
  private readonly history = new HistoryFile(this.path);
  private readonly meter = new LagMeter(this.history, 'load');
  private readonly warnings: string[] = [];
  private readonly services: { book: Book; contender: OwnContender }[];
  private readonly stopped = new AbortController();
  private readonly callers: Promise<void>[] = [];

  constructor(private readonly redis: RedisOptions) {
    this.services = ['a', 'b'].map((label) => this.open(label));
  }

  /** One more service takes part: sentinels lead newcomers to the new master, wherever the others are. */
  async join(): Promise<void> {
    const service = this.open('newcomer');
    this.services.push(service);
    await service.contender.ready();
    for (const name of NAMES) this.callers.push(this.call(service.book, name));
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
      for (const name of NAMES) {
        await book.give((await book.take(name, this.terms())).id);
        this.callers.push(this.call(book, name));
      }
  }

  fault(kind: string): void {
    this.history.add({ type: 'fault', kind, at: monotonic() });
  }

  async end(): Promise<LoadVerdict> {
    this.stopped.abort();
    await Promise.all(this.callers);
    for (const { book } of this.services) book.stop();
    await Promise.all(this.services.map(({ contender }) => contender.close()));
    this.meter.stop();
    this.history.close();
    const lines = readFileSync(this.path, 'utf8').split('\n').filter(Boolean);
    rmSync(this.directory, { recursive: true });
    const events = lines.map((line) => JSON.parse(line) as HistoryEvent);
    const { violations, grants, losses, lag } = check(events);
    const gaps = NAMES.map((name) => longestGap(events, name));
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
      interruption: Math.min(...gaps),
      blocked: Math.max(...gaps),
      lag,
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

/** The longest time from one grant of a name to the next one. */
function longestGap(events: readonly HistoryEvent[], name: string): number {
  const ids = new Set(
    events.flatMap((event) => (event.type === 'acquire' && event.name === name ? [event.id] : [])),
  );
  const grants = events.flatMap((event) => (event.type === 'granted' && ids.has(event.id) ? [event.at] : []));
  grants.sort((a, b) => a - b);
  return Math.max(0, ...grants.slice(1).map((at, index) => at - (grants[index] as number)));
}
