import { setTimeout as sleep } from 'node:timers/promises';
import type { Book } from './book.js';
import type { FencedCounter } from './fenced-counter.js';
import { Random } from './random.js';
import { nest } from './nesting.js';
import type { ChurnOptions, Churned } from './worker-commands.js';

/** Callers that take, hold, count and give without an end. */
export class Churn {
  private stopped = new AbortController();

  constructor(
    private readonly book: Book,
    private readonly counter: FencedCounter,
  ) {}

  async run(options: ChurnOptions): Promise<Churned> {
    this.stopped = new AbortController();
    const total = { granted: 0, refused: 0 };
    const callers = Array.from({ length: options.callers }, (_, index) =>
      this.call(new Random(options.seed + index), options, total),
    );
    await Promise.all(callers);
    return total;
  }

  stop(): void {
    this.stopped.abort();
  }

  private async call(random: Random, options: ChurnOptions, total: { granted: number; refused: number }) {
    const { ttl, wait, hold, rest, longest = 0, counts } = options;
    const share = options.share ? { share: options.share } : {};
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const name = random.one(options.names);
      const linger = options.lingers && random.next() < 0.5 ? Math.round(random.between(0, ttl)) : 0;
      const patience = options.lingers && random.next() < 0.2 ? 0 : wait;
      const terms = { ttl, wait: patience, renew: true, linger, signal, ...share };
      const { id, fence, refused } = await this.book.take(name, terms);
      if (refused) {
        total.refused += 1;
        await sleep(20);
        continue;
      }
      total.granted += 1;
      const value = counts && fence ? await this.quietly(this.counter.begin(name, fence)) : undefined;
      await sleep(random.next() < 0.02 ? random.between(0, longest) : random.between(...hold));
      if (value !== undefined && fence) await this.quietly(this.counter.write(name, fence, value + 1));
      if (options.nests) await nest(this.book, id, random, () => this.count(name, fence, random));
      await this.book.give(id);
      await sleep(random.between(...rest));
    }
  }

  /** What an entry does: it counts as the hold does. */
  private async count(name: string, fence: number | undefined, random: Random): Promise<void> {
    const value = fence === undefined ? undefined : await this.quietly(this.counter.begin(name, fence));
    await sleep(random.between(0, 5));
    if (value !== undefined && fence) await this.quietly(this.counter.write(name, fence, value + 1));
  }

  private quietly<T>(promise: Promise<T>): Promise<T | undefined> {
    return promise.catch(() => undefined);
  }
}
