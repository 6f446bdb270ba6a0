import type { LockOperation } from '../../lib/store/lock-operation.js';
import type { Answered, LockStoreListener } from '../../lib/store/lock-store.js';
import { MemoryStore } from '../../lib/store/memory/memory-store.js';

/** What a wayward store does with an operation instead of sending it; undefined: it sends it. */
export type Whim = (operation: LockOperation) => Promise<unknown> | undefined;

/** A store in memory that does as a test wants with some operations. */
export class WaywardStore extends MemoryStore {
  readonly sent: LockOperation[] = [];
  whim: Whim = () => undefined;
  private readonly ears: LockStoreListener[] = [];

  override listen(listener: LockStoreListener): void {
    this.ears.push(listener);
    super.listen(listener);
  }

  /** Says what a store says when a connection is back. */
  wake(): void {
    for (const ear of this.ears) ear.wake();
  }

  override execute<O extends LockOperation>(
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    this.sent.push(operation);
    const instead = this.whim(operation);
    return (instead as Promise<Answered<O>> | undefined) ?? super.execute(name, operation, timeout);
  }
}
