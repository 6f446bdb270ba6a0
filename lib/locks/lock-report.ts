/**
 * How a name is held or waited for: `exclusive` by a mutex or a writer, `shared` by a reader, or `semaphore` for
 * permits of a semaphore.
 *
 * @publicApi
 */
export type LockKind = 'exclusive' | 'shared' | 'semaphore';

/**
 * What `inspect` tells of one name. It is a snapshot, true when the store answered.
 *
 * @publicApi
 */
export interface LockReport {
  readonly name: string;
  /** The key in the store. */
  readonly key: string;
  /**
   * How many permits there are, when the name is in use as a semaphore; undefined for mutexes and read-write locks, and
   * when nobody uses the name.
   */
  readonly permits?: number;
  /**
   * How many units the name has: the permits of a semaphore; 2³⁰ for mutexes and read-write locks, of which a writer
   * or mutex takes all and a reader one; 0 when nobody uses the name.
   */
  readonly capacity: number;
  /** How many of these units the holders have together. */
  readonly inUse: number;
  /** The holding processes. */
  readonly holders: readonly {
    readonly host: string;
    readonly pid: number;
    readonly label?: string;
    readonly kind: LockKind;
    /** The permits of a semaphore; 1 for a reader, and 2³⁰ for a mutex or writer. */
    readonly units: number;
    readonly since: Date;
    /**
     * Why an operator revoked it: the name is free when this holder gives it back, or after `remaining`. Undefined
     * while nobody revoked it; '' when the reason is not known.
     */
    readonly revokeReason?: string;
    /** Milliseconds until the store frees it unless renewed (the guard is in it). */
    readonly remaining: number;
    /** The first and the last fence the process may use. */
    readonly fences: readonly [number, number];
  }[];
  /** The waiting processes, first come first. One that has shown no sign of life for 15 s is left out. */
  readonly queue: readonly {
    readonly host: string;
    readonly pid: number;
    readonly label?: string;
    readonly kind: LockKind;
    readonly units: number;
    readonly since: Date;
  }[];
  /** The last fence used or reserved; undefined when the store remembers none. */
  readonly fence?: number;
}
