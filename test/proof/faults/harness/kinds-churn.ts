import { setTimeout as sleep } from 'node:timers/promises';
import type { Book } from './book.js';
import { READER, type Share, WRITER } from './contender.js';
import type { FencedCounter } from './fenced-counter.js';
import { nest } from './nesting.js';
import { monotonic } from './history.js';
import type { LatchBook } from './latch-book.js';
import { Random } from './random.js';
import type { Churned, KindsOptions } from './worker-commands.js';

/** Every process works at the latch of the same age, by the host's clock. */
const LATCH_EVERY = 2_000;

/** Callers that read, write, downgrade, take permits and wait at latches without an end. */
export class KindsChurn {
  private stopped = new AbortController();
  private readonly total = { granted: 0, refused: 0 };

  constructor(
    private readonly process: string,
    private readonly book: Book,
    private readonly latches: LatchBook,
    private readonly counter: FencedCounter,
  ) {}

  async run(options: KindsOptions): Promise<Churned> {
    this.stopped = new AbortController();
    const random = (offset: number): Random => new Random(options.seed + offset);
    await Promise.all([
      ...[1, 2].map((offset) => this.readAndWrite(random(offset), options)),
      ...[3, 4].map((offset) => this.takePermits(random(offset), options)),
      ...[5, 6].map((offset) => this.meetAtLatches(random(offset), `${this.process}.${offset}`)),
    ]);
    return this.total;
  }

  stop(): void {
    this.stopped.abort();
  }

  private async readAndWrite(random: Random, options: KindsOptions): Promise<void> {
    const { readWrite: name, ttl } = options;
    while (!this.stopped.signal.aborted) {
      const share = random.next() < 0.6 ? READER : WRITER;
      const { id, fence } = await this.take(name, ttl, share);
      if (id === undefined) continue;
      const value =
        share === WRITER && fence ? await this.counter.begin(name, fence).catch(() => undefined) : undefined;
      await this.work(random, options);
      if (value !== undefined && fence)
        await this.counter.write(name, fence, value + 1).catch(() => undefined);
      let held: string | undefined = id;
      if (share === WRITER && random.next() < 0.5) {
        held = await this.book.downgrade(id, name);
        await this.work(random, options);
      }
      if (held === undefined) continue;
      await nest(this.book, held, random, () => sleep(random.between(0, 5)));
      await this.book.give(held);
      await sleep(random.between(0, 15));
    }
  }

  private async takePermits(random: Random, options: KindsOptions): Promise<void> {
    const { semaphore: name, capacity, ttl } = options;
    while (!this.stopped.signal.aborted) {
      const { id } = await this.take(name, ttl, { kind: 'permits', units: random.whole(1, 2), capacity });
      if (id === undefined) continue;
      await this.work(random, options);
      await this.book.give(id);
      await sleep(random.between(0, 15));
    }
  }

  /** A latch for every two seconds: some need more counts than there are callers, and some are forgotten soon. */
  private async meetAtLatches(random: Random, by: string): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const age = Math.floor(monotonic() / LATCH_EVERY);
      const name = `latch-${age}`;
      const waiting = this.latches.opened(name, LATCH_EVERY, signal);
      await sleep(random.between(0, 100));
      await this.latches.trySetCount(name, 3 + (age % 7), age % 3 === 0 ? 600 : 60_000);
      await sleep(random.between(0, 600));
      await this.latches.countDown(name, by);
      if (random.next() < 0.5) await this.latches.countDown(name, by); // counts once
      if ((await waiting).opened) this.total.granted += 1;
      else this.total.refused += 1;
      await sleep(Math.max(10, (age + 1) * LATCH_EVERY - monotonic()), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }

  private async take(name: string, ttl: number, share: Share): Promise<{ id?: string; fence?: number }> {
    const { signal } = this.stopped;
    const { refused, ...taken } = await this.book.take(name, {
      ttl,
      wait: 8_000,
      renew: true,
      signal,
      share,
    });
    this.total[refused ? 'refused' : 'granted'] += 1;
    if (!refused) return taken;
    await sleep(20);
    return {};
  }

  private work(random: Random, { ttl }: KindsOptions): Promise<void> {
    return sleep(random.next() < 0.02 ? random.between(0, 2 * ttl) : random.between(0, 30));
  }
}
