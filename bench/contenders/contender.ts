/** One library, or the bare commands, at one server. All leases last ten seconds. */
export interface Contender {
  /** Runs `work` under the lock, as the library means it to be done. */
  using(name: string, work: () => Promise<void>): Promise<void>;
  /** Takes the lock; what it resolves with gives it back and awaits the answer. */
  acquire(name: string): Promise<() => Promise<unknown>>;
  close(): Promise<void>;
}

/**
 * `ours` is measured, `floor` is the least that can be done, `limit` does it without a server; a `peer` is another
 * library for Node and Redis, a `rival` a lock of another ecosystem.
 */
export type Role = 'ours' | 'floor' | 'peer' | 'rival' | 'limit';

/** A contender that can be opened, here or in a worker. */
export interface Entrant {
  readonly id: string;
  /** As tables name it. */
  readonly label: string;
  readonly role: Role;
  /** A peer as it comes out of the box, or as it is fastest; undefined for who has nothing to set. */
  readonly setting?: 'defaults' | 'best';
  /** What its clients send to acquire: scripts count as one command, whatever they call. */
  readonly commands: readonly string[];
  open(url: string): Promise<Contender>;
  /** The same without waiting for anything, where `open` waits for the connection: the first caller does. */
  openAtOnce?(url: string): Promise<Contender>;
}

export const TTL = 10_000;
