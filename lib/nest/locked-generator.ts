import { AsyncResource } from 'node:async_hooks';
import type { Lease } from '../locks/lock.js';
import { lossOf } from './held-stream.js';

type Steps = AsyncGenerator<unknown, unknown, unknown>;
type Step = Promise<IteratorResult<unknown, unknown>>;

interface Entered {
  readonly lease: Lease;
  readonly steps: Steps;
  /** The async context of the holder, so that `current()` and re-entry work in every step, whoever asks for the step. */
  readonly scope: AsyncResource;
  readonly end: (value: unknown) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * An async generator under a lock. The first step acquires the lock; the end, an error or `return` releases it. A consumer
 * that stops half-way without calling `return` keeps the lock (`for await` does call it). When the lease is lost, the next
 * step rejects, and so does the step that was running: what it yields came too late.
 */
export class LockedGenerator implements Steps {
  private entered: Promise<Entered | undefined> | undefined;
  private outcome: Promise<unknown> = Promise.resolve();
  private ended = false;

  constructor(
    private readonly open: (lease: Lease) => Steps,
    private readonly hold: (work: (lease: Lease) => Promise<unknown>) => Promise<unknown>,
  ) {}

  next(value?: unknown): Step {
    return this.step((steps) => steps.next(value));
  }

  return(value?: unknown): Step {
    if (!this.entered) this.leave(value);
    return this.step((steps) => steps.return(value));
  }

  async throw(error?: unknown): Step {
    if (this.entered) return this.step((steps) => steps.throw(error));
    this.leave(undefined);
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  get [Symbol.toStringTag](): string {
    return 'AsyncGenerator';
  }

  private async step(move: (steps: Steps) => Step): Step {
    const entered = await (this.entered ??= this.enter());
    if (entered) {
      try {
        const moved = await this.moved(entered, move);
        if (!moved.done || this.ended) return moved;
        entered.end(moved.value);
      } catch (error) {
        entered.fail(error);
      }
    }
    const first = !this.ended;
    if (!first && !entered) return move(neverBegun());
    this.ended = true;
    return { done: true, value: first ? await this.outcome : undefined };
  }

  /** Takes the step, unless the lease was lost, and hands out nothing that came after the loss. */
  private async moved({ lease, scope, steps }: Entered, move: (steps: Steps) => Step): Step {
    let loss = this.ended ? undefined : lossOf(lease);
    if (!loss) {
      const moved = await scope.runInAsyncScope(move, undefined, steps);
      if (moved.done || this.ended) return moved;
      loss = lossOf(lease);
      if (!loss) return moved;
    }
    await scope.runInAsyncScope(() => steps.return(undefined)); // it cleans up first, as after a break
    throw loss;
  }

  private enter(): Promise<Entered | undefined> {
    return new Promise((resolve) => {
      const work = (lease: Lease) =>
        new Promise<unknown>((end, fail) => {
          const scope = new AsyncResource('HeldGenerator');
          resolve({ lease, steps: this.open(lease), scope, end, fail });
        });
      this.outcome = this.hold(work);
      // Has an effect only if the work never began, because the call was skipped or refused. The first step tells which.
      const over = (): void => resolve(undefined);
      this.outcome.then(over, over);
    });
  }

  /** Ends it before its first step: like a native generator it then never runs, so it needs no lock. */
  private leave(value: unknown): void {
    this.entered = Promise.resolve(undefined);
    this.outcome = Promise.resolve(value);
  }
}

/** What answers the further steps of a generator that never began. */
async function* neverBegun(): AsyncGenerator<never, void> {}
