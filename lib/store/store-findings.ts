/**
 * What the start-up probe found out about a store, for logs, health checks and tools.
 *
 * @publicApi
 */
export interface StoreFindings {
  /** How messages name the store: `memory`, or `redis://host:6379/0`, never with credentials. */
  readonly address: string;
  /** The server's name as it says it: `redis`, `valkey`; where it may be asked. */
  readonly server?: string;
  /** The server's version, where it may be asked. Of Valkey its own, not that of the Redis that it stands in for. */
  readonly version?: string;
  /** `master` or `slave`, if the server tells. */
  readonly role?: string;
  /** What the server does when its memory is full, if the server tells. */
  readonly maxmemoryPolicy?: string;
  /** Whether waiters can be notified of their grants (PUBLISH and SUBSCRIBE are allowed); otherwise they ask. */
  readonly publish: boolean;
  /** What an operator should fix, one line each with the remedy; empty when all is well. */
  readonly warnings: readonly string[];
}
