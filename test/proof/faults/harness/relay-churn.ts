import { setTimeout as sleep } from 'node:timers/promises';
import type { Book, Parcel, Take } from './book.js';
import { READER, type Share, WRITER } from './contender.js';
import type { FencedCounter } from './fenced-counter.js';
import { monotonic } from './history.js';
import type { Post } from './post.js';
import { Random } from './random.js';
import type { Churned, RelayOptions } from './worker-commands.js';

const GUARD = 500; // at most

/** Callers that hand over what they hold, and callers that resume what any process has handed over, without an end. */
export class RelayChurn {
  private stopped = new AbortController();
  private readonly total = { granted: 0, refused: 0 };
  /** Until when something that was handed over here may lie in the post. */
  private until = 0;

  constructor(
    private readonly book: Book,
    private readonly counter: FencedCounter,
    private readonly post: Post,
  ) {}

  async run(options: RelayOptions): Promise<Churned> {
    this.stopped = new AbortController();
    const random = (offset: number): Random => new Random(options.seed + offset);
    await Promise.all([
      ...[1, 2].map((offset) => this.give(random(offset), options)),
      ...[3, 4].map((offset) => this.receive(random(offset), options)),
    ]);
    await sleep(Math.max(0, this.until - monotonic()));
    return this.total;
  }

  stop(): void {
    this.stopped.abort();
  }

  close(): void {
    this.post.close();
  }

  private async give(random: Random, options: RelayOptions): Promise<void> {
    const { signal } = this.stopped;
    const { parcel, trolley, ttl } = options;
    while (!signal.aborted) {
      const share = random.one([undefined, undefined, READER, WRITER]);
      const name = share ? trolley : parcel;
      const terms = { ttl, wait: 8_000, renew: true, signal, ...(share && { share }) };
      const taken = this.count(await this.book.take(name, terms));
      if (taken) {
        await this.work(random, name, taken, share);
        await this.passOn(random, options, { id: taken.id, name, ...(share && { share }) });
        await sleep(random.between(0, 15));
      } else await sleep(20);
    }
  }

  private async receive(random: Random, options: RelayOptions): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const parcel = await this.post.take().catch(() => undefined);
      if (!parcel) {
        await sleep(10);
        continue;
      }
      await sleep(random.between(0, 20));
      const taken = this.count(await this.book.resume(parcel, 2_000));
      if (!taken) continue;
      const { name, share } = parcel;
      await this.work(random, name, taken, share);
      if (random.next() < 0.3) await this.book.resume(parcel, 500); // the post has delivered it again
      await this.passOn(random, options, { id: taken.id, name, ...(share && { share }) });
    }
  }

  /** Hands over what is held, or gives it back. */
  private async passOn(random: Random, { ttl }: RelayOptions, hold: Omit<Parcel, 'text'>): Promise<void> {
    const { id, share } = hold;
    const handsOver = random.next() < 0.6 && !this.stopped.signal.aborted;
    if (handsOver && share !== READER && random.next() < 0.7) await quietly(this.book.note(id));
    const text = handsOver ? await this.book.handOver(id, ttl) : undefined;
    if (text === undefined) return void (await this.book.give(id));
    this.until = Math.max(this.until, monotonic() + ttl + GUARD);
    const parcel = { ...hold, text };
    await quietly(this.post.send(parcel));
    if (random.next() < 0.3) await quietly(this.post.send(parcel)); // queues deliver at least once
  }

  private async work(random: Random, name: string, { fence }: Take, share?: Share): Promise<void> {
    const counts = fence !== undefined && share?.kind !== 'read';
    const value = counts ? await quietly(this.counter.begin(name, fence)) : undefined;
    await sleep(random.next() < 0.02 ? random.between(0, 2_000) : random.between(0, 20));
    if (counts && value !== undefined) await quietly(this.counter.write(name, fence, value + 1));
  }

  private count(taken: Take): Take | undefined {
    this.total[taken.refused ? 'refused' : 'granted'] += 1;
    return taken.refused ? undefined : taken;
  }
}

function quietly<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch(() => undefined);
}
