/**
 * What `inspect` tells of one name. It is a snapshot, true when the store answered.
 *
 * @publicApi
 */
export interface LockReport {
  readonly name: string;
  /** The key in the store. */
  readonly key: string;
  /** How many units the name has; 2³⁰ for mutexes and read-write locks, 0 when nobody uses it. */
  readonly capacity: number;
  readonly inUse: number;
  /** The holding processes. */
  readonly holders: readonly {
    readonly host: string;
    readonly pid: number;
    readonly label?: string;
    readonly units: number;
    readonly since: Date;
    /** Milliseconds until the store frees it unless renewed (the guard is in it). */
    readonly remaining: number;
    /** The first and the last fence the process may use. */
    readonly fences: readonly [number, number];
  }[];
  /** The waiting processes, first come first. */
  readonly queue: readonly {
    readonly host: string;
    readonly pid: number;
    readonly label?: string;
    readonly units: number;
    readonly since: Date;
  }[];
  /** The last fence used or reserved; undefined when the store remembers none. */
  readonly fence?: number;
}
