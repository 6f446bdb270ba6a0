import type { Observable } from 'rxjs';

export type Half = 'locked' | 'unlocked';
export const HALVES: readonly Half[] = ['unlocked', 'locked'];

/** The buckets of the histogram of waits, in milliseconds; the last one has everything above. */
export const WAIT_EDGES: readonly number[] = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/**
 * One of the two sales, as the database, the processes and the buyers tell it. The locked one begins when the other has
 * ended: each has the machine to itself.
 */
export interface HalfState {
  /** The number of this sale; 0 before the first. */
  readonly run: number;
  readonly running: boolean;
  readonly buyers: number;
  /** Milliseconds since it began; stands still when it has ended. */
  readonly at: number;
  /** Database: how many items were put on sale, how many it says are left, and how many were promised. */
  readonly offered: number;
  readonly stock: number;
  readonly sold: number;
  /** Database, when the sale is over: whether each order has a larger fence than the one before; null for orders without. */
  readonly increasing: boolean | null;
  /** Buyers: how many have an answer, of them "sold to you" and "sold out". */
  readonly answered: number;
  readonly bought: number;
  readonly soldOut: number;
  /** Buyers: every other answer, by HTTP status, or `broken` for a connection that broke and `nobody` without a process. */
  readonly failed: Readonly<Record<string, number>>;
  /** Buyers: how many were answered within the last second, and in the best second of the sale. */
  readonly perSecond: number;
  readonly best: number;
  /** Buyers: how many waited how long for their answer, by WAIT_EDGES. */
  readonly waits: readonly number[];
  /** Processes: calls that wait for the lock, and orders between read and write. */
  readonly waiting: number;
  readonly inside: number;
  /** Processes: how often the lock was granted in this sale, and the last fence. */
  readonly grants: number;
  readonly fence: number;
}

export interface ProcessState {
  readonly name: string;
  readonly pid: number;
  readonly state: 'starting' | 'up' | 'frozen' | 'killed' | 'stopping';
  /** Whether it holds the lock, by its last report. */
  readonly holds: boolean;
  readonly waiting: number;
  readonly inside: number;
}

/** A time in which a process held the lock, or had orders between read and write; milliseconds since that half began. */
export interface Lane {
  readonly half: Half;
  readonly process: string;
  readonly from: number;
  readonly to: number;
}

/** What somebody did to the sale, and what came of it. Times are milliseconds since the locked half began. */
export type Incident =
  | {
      readonly kind: 'kill';
      readonly at: number;
      readonly process: string;
      /** How long it took until another process was granted the lock; undefined until then. */
      readonly nextGrant?: number;
      readonly by?: string;
      /** How late event loops were meanwhile at most: the machine's part in that time. */
      readonly lag?: number;
    }
  | {
      readonly kind: 'freeze';
      readonly at: number;
      readonly process: string;
      readonly ms: number;
      readonly fence: number;
      readonly nextGrant?: number;
      readonly by?: string;
      readonly lag?: number;
      readonly woke?: number;
      /** How many writes the fence in SQL has refused, and the fence that was in the row. */
      readonly refused: number;
      readonly rowFence?: number;
    }
  | { readonly kind: 'redis-stopped' | 'redis-started'; readonly at: number }
  | { readonly kind: 'added' | 'removed' | 'died'; readonly at: number; readonly process: string };

/** One reading of the database; all of them since its half began are the curve. */
export interface Point {
  readonly half: Half;
  readonly at: number;
  readonly sold: number;
}

/** What is sent about ten times a second. */
export interface Tick {
  /** How many sales there were; 0 before the first. */
  readonly sale: number;
  readonly running: boolean;
  readonly halves: Readonly<Record<Half, HalfState>>;
  readonly processes: readonly ProcessState[];
  readonly incidents: readonly Incident[];
  readonly redis: { readonly up: boolean; readonly stoppable: boolean; readonly server: string };
  readonly ttl: number;
  readonly guard: number;
  /** New since the tick before; all of the present sales for whoever has just come. */
  readonly points: readonly Point[];
  readonly lanes: readonly Lane[];
}

export type Refusal =
  | 'sale-runs'
  | 'no-process'
  | 'too-few-processes'
  | 'redis-down'
  | 'redis-not-ours'
  | 'no-holder'
  | 'sold-out'
  | 'signals'
  | 'busy';

/** What was asked for cannot be done now. */
export class StageRefusal extends Error {
  constructor(readonly reason: Refusal) {
    super(`It cannot be done now: ${reason}.`);
  }
}

/** What the page needs of whoever has started the processes. Each method rejects with a StageRefusal. */
export abstract class Stage {
  /** The ticks; the first one has everything since the sale began. */
  abstract ticks(): Observable<Tick>;
  /** Starts a sale to so many buyers in each half. */
  abstract open(buyers: number): Promise<void>;
  /** Starts or ends processes until there are so many. */
  abstract resize(processes: number): Promise<void>;
  /** Ends the process that holds the lock with SIGKILL, in a sale of its own if none runs. */
  abstract killHolder(): Promise<void>;
  /** Makes the process that holds the lock stop itself between decide and write for twice the ttl. */
  abstract freezeHolder(): Promise<void>;
  abstract stopRedis(): Promise<void>;
  abstract startRedis(): Promise<void>;
}
