import type { LockService } from '../../lib/locks/lock-service.js';
import type { Lease } from '../../lib/locks/lock.js';
import { RUNNERS, type Push } from './job-runners.js';

const NAMES = Array.from({ length: 9 }, (_, index) => `name-${index}`);
const wait = '1h';

/** What the calls take from their surroundings. */
export interface CallTerms {
  readonly processes: readonly LockService[];
  /** Milliseconds since an arbitrary start. */
  now(): number;
  /** Lets some time pass. */
  pause(ms: number): Promise<void>;
  /** The longest time that a call works under its locks, in milliseconds. */
  readonly longest: number;
  readonly random: () => number;
}

/**
 * Random calls that never wait for each other: whoever holds names and awaits another one asks for a later one. Their
 * contexts look worse than that. Jobs run in the contexts of others, calls and entries are begun that nobody awaits, and
 * these ask for names in any order.
 */
export class ContendedCalls {
  /** How many acquisitions had to wait. */
  contended = 0;
  private readonly strays = new Set<Promise<unknown>>();
  private readonly runners: readonly Push[];

  constructor(private readonly terms: CallTerms) {
    this.runners = Object.values(RUNNERS).map((make) => make());
  }

  /** Works until so many acquisitions had to wait, with so many callers at a time. */
  async until(acquisitions: number, callers: number): Promise<void> {
    const caller = async (): Promise<void> => {
      while (this.contended < acquisitions) await this.call();
    };
    await Promise.all(Array.from({ length: callers }, caller));
    while (this.strays.size > 0) await Promise.all(this.strays);
  }

  private call(): Promise<unknown> {
    const locks = this.one(this.terms.processes);
    const first = this.below(NAMES.length - 2);
    switch (this.below(8)) {
      case 0:
        return this.hold(locks, first, () => this.work());
      case 1: // a job that runs in the context of whoever woke its runner up
        return this.hold(locks, this.below(NAMES.length), async () => {
          this.one(this.runners)(() => this.kept(this.nest(locks, this.below(NAMES.length - 2))));
          await this.work();
        });
      case 2: // a call that nobody awaits
        return this.hold(locks, this.below(NAMES.length), async () => {
          this.stray(this.nest(locks, this.below(NAMES.length)));
          await this.work();
        });
      case 3: // entries that nobody awaits
        return this.hold(locks, first, async (lease) => {
          for (let count = 0; count < 2; count += 1)
            this.stray(lease.using(() => this.nest(locks, first + 1), { wait }));
          await this.work();
        });
      case 4:
        return this.entered(locks, first);
      case 5:
        return this.timed(() =>
          locks.using([NAMES[first + 1] ?? '', NAMES[first] ?? ''], () => this.work(), { wait }),
        );
      case 6:
        return this.timed(() =>
          locks.readWrite(NAMES[first] ?? '').read.using(() => this.nest(locks, first + 1), { wait }),
        );
      default:
        return this.nest(locks, first);
    }
  }

  /** A lease of acquire, which is given back while entries still wait. */
  private async entered(locks: LockService, first: number): Promise<void> {
    const lease = await this.timed(() => locks.acquire(NAMES[first] ?? '', { wait }));
    this.stray(lease.using(() => this.nest(locks, first + 1), { wait }));
    await this.work();
    await lease.release();
  }

  /** Holds a name, and inside of it a later one, and so on. */
  private nest(locks: LockService, from: number): Promise<void> {
    return this.hold(locks, from, async () => {
      await this.work();
      if (from + 1 < NAMES.length && this.terms.random() < 0.6)
        await this.nest(locks, from + 1 + this.below(NAMES.length - from - 1));
    });
  }

  private hold(locks: LockService, place: number, work: (lease: Lease) => Promise<void>): Promise<void> {
    return this.timed((begun) =>
      locks.using(
        NAMES[place] ?? '',
        (lease) => {
          begun();
          return work(lease);
        },
        { wait },
      ),
    );
  }

  /** Counts an acquisition that had to wait, at its end or when it says that it has begun. */
  private async timed<T>(acquire: (begun: () => void) => Promise<T>): Promise<T> {
    const { now } = this.terms;
    const asked = now();
    let begun: number | undefined;
    const result = await acquire(() => (begun = now()));
    if ((begun ?? now()) - asked >= 1) this.contended += 1;
    return result;
  }

  private work(): Promise<void> {
    return this.terms.pause(this.terms.random() * this.terms.longest);
  }

  private stray(call: Promise<unknown>): void {
    void this.kept(call);
  }

  private kept<T>(call: Promise<T>): Promise<T> {
    this.strays.add(call);
    void call.finally(() => this.strays.delete(call));
    return call;
  }

  private below(count: number): number {
    return Math.floor(this.terms.random() * count);
  }

  private one<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }
}

/** Numbers from 0 to 1 that are the same for the same seed. */
export function drawnFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
