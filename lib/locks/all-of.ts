import { milliseconds } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { BaseLock, type LockContext } from './base-lock.js';
import type { Held } from './held-leases.js';
import { LeaseBundle } from './lease-bundle.js';
import type { Lease } from './lease.js';
import type { AcquireOptions } from './lock.js';
import { NameLock } from './name-lock.js';

/**
 * Several names at once, all or none. They are taken in one order everywhere, so that two callers can never
 * wait for each other.
 */
export class AllOf extends BaseLock {
  readonly names: readonly string[];
  readonly mode = 'write';
  private readonly parts: readonly NameLock[];

  /** @throws LockUsageError without any name */
  constructor(names: readonly string[], context: LockContext) {
    super(context);
    this.names = [...new Set(names)].sort();
    if (this.names.length === 0)
      throw new LockUsageError('Several names are to be locked, but the list is empty.');
    this.parts = this.names.map((name) => new NameLock(name, context));
  }

  protected async take(options: AcquireOptions, defaultWait: number): Promise<Lease> {
    const { clock } = this.context;
    const range = { option: 'wait', min: 0, max: 86_400_000, infinite: true };
    const wait = options.wait === undefined ? defaultWait : milliseconds(options.wait, range);
    const until = clock.now() + wait;
    const leases: Lease[] = [];
    try {
      for (const part of this.parts) {
        const left = wait === Infinity ? Infinity : Math.max(0, Math.min(wait, until - clock.now()));
        leases.push(await part.acquire({ ...options, wait: left }));
      }
      return new LeaseBundle(leases);
    } catch (error) {
      await Promise.all(leases.map((lease) => lease.release()));
      throw error;
    }
  }

  protected enter<T>(work: (lease: Lease) => T | PromiseLike<T>, reentrant: boolean): Promise<T> | undefined {
    const held = this.names
      .map((name) => this.context.held.current(name))
      .filter((each) => each !== undefined);
    if (held.length === 0) return undefined;
    if (!reentrant || held.length < this.names.length) throw this.partlyHeld(held);
    const lease = new LeaseBundle([...new Set(held.map((each) => each.lease))]);
    return this.context.held.enter(held[0] as Held, () => work(lease));
  }

  private partlyHeld(held: readonly Held[]): LockUsageError {
    const names = held.map(({ name }) => `'${name}'`).join(', ');
    return new LockUsageError(
      `The running call holds ${names} already and asks for '${this.names.join("', '")}' together: ` +
        'take all of them in the outer call, or only the missing ones here.',
    );
  }
}
