import type { Lease } from './lease.js';
import type { Lock } from './lock.js';

/**
 * How many permits one acquisition takes.
 *
 * @publicApi
 */
export interface PermitOptions {
  /** 1 … permits. @default 1 */
  readonly units?: number | undefined;
}

/**
 * So many permits under one name. Every permit is owned, leased and renewed; those of a process that died are
 * free after ttl + guard. All users of a name must agree on the number; it may change while the name is idle.
 *
 * @publicApi
 */
export interface Semaphore extends Lock<Lease, PermitOptions> {
  /** How many permits are free now. A snapshot: it may be taken before you ask for one. @throws LockStoreError */
  available(): Promise<number>;
}
