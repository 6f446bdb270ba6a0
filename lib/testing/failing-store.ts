import type { Clock } from '../base/clock.js';
import { LockStoreError } from '../base/errors.js';
import type { LatchAnswer, LatchOperation } from '../store/latch-machine.js';
import type { LockOperation } from '../store/lock-operation.js';
import type { Answered, LockReading, LockStoreListener, StoreFindings } from '../store/lock-store.js';
import type { MemoryServer } from '../store/memory/memory-server.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import type { ServerSample } from '../store/server-clock.js';

/**
 * How a store fails: it refuses every command at once, or it takes them and never answers.
 *
 * @publicApi
 */
export type StoreFailure = 'refusing' | 'silent';

/** A store in memory that fails for as long as a test wants it to. While it fails, nothing that it is told has an effect. */
export class FailingStore extends MemoryStore {
  private failure: { readonly how: StoreFailure; readonly lastSample: ServerSample } | undefined;
  hasFailed = false;
  private readonly hearers: LockStoreListener[] = [];

  constructor(
    server: MemoryServer,
    session: string,
    private readonly time: Clock,
  ) {
    super(server, session, time);
  }

  fail(how: StoreFailure): void {
    this.hasFailed = true;
    this.failure = { how, lastSample: this.sample('') };
  }

  /** Works again, and says so, as a store does whose connection is back. */
  recover(): void {
    if (!this.failure) return;
    this.failure = undefined;
    for (const hearer of this.hearers) hearer.wake();
  }

  override listen(listener: LockStoreListener): void {
    this.hearers.push(listener);
    super.listen({
      wake: (concerns) => listener.wake(concerns),
      notice: (name, notice) => {
        if (!this.failure) listener.notice(name, notice);
      },
    });
  }

  override execute<O extends LockOperation>(
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    return this.failed(timeout, name) ?? super.execute(name, operation, timeout);
  }

  override latch(name: string, operation: LatchOperation, timeout: number): Promise<LatchAnswer> {
    return this.failed(timeout, name) ?? super.latch(name, operation, timeout);
  }

  override read(name: string, timeout: number): Promise<LockReading> {
    return this.failed(timeout, name) ?? super.read(name, timeout);
  }

  override async *list(timeout: number): AsyncGenerator<readonly LockReading[]> {
    await this.failed(timeout);
    yield* super.list(timeout);
  }

  override measure(name: string, timeout: number): Promise<ServerSample> {
    return this.failed(timeout, name) ?? super.measure(name, timeout);
  }

  override sample(name: string): ServerSample {
    return this.failure?.lastSample ?? super.sample(name);
  }

  override ready(timeout: number): Promise<StoreFindings> {
    return this.failed(timeout) ?? super.ready(timeout);
  }

  /** What a command comes to while the store fails. */
  private failed(timeout: number, name?: string): Promise<never> | undefined {
    if (!this.failure) return undefined;
    if (this.failure.how === 'refusing')
      return Promise.reject(
        new LockStoreError('The store refused the command, since the test made it fail.', name, {
          refused: true,
        }),
      );
    return new Promise((_, reject) => {
      this.time.after(timeout, () =>
        reject(
          new LockStoreError(
            `The store did not answer within ${Math.round(timeout)} ms, since the test made it silent.`,
            name,
          ),
        ),
      );
    });
  }
}
