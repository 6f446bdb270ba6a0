import type { LockOperation } from '../../lib/store/lock-operation.js';
import type { Answered, LockStoreListener } from '../../lib/store/lock-store.js';
import { MemoryStore } from '../../lib/store/memory/memory-store.js';

/** What a faulty store does with an operation instead of sending it; undefined: it sends it. */
export type Fault = (operation: LockOperation) => Promise<unknown> | undefined;

/** A store in memory that does as a test wants with some operations. */
export class FaultyStore extends MemoryStore {
  readonly sent: LockOperation[] = [];
  fault: Fault = () => undefined;
  private readonly hearers: LockStoreListener[] = [];

  override listen(listener: LockStoreListener): void {
    this.hearers.push(listener);
    super.listen(listener);
  }

  /** Says what a store says when a connection is back. */
  wake(): void {
    for (const hearer of this.hearers) hearer.wake();
  }

  override execute<O extends LockOperation>(
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    this.sent.push(operation);
    const instead = this.fault(operation);
    return (instead as Promise<Answered<O>> | undefined) ?? super.execute(name, operation, timeout);
  }
}
