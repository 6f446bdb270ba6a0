import type { Take } from './book.js';
import type { Share } from './contender.js';

export interface TakeOptions {
  /** When it is not a mutex. */
  readonly share?: Share;
  readonly ttl?: number;
  readonly wait?: number;
  readonly renew?: boolean;
  readonly linger?: number;
  /** Aborts the wait after so many milliseconds. */
  readonly abortAfter?: number;
}

export interface ChurnOptions {
  readonly names: readonly string[];
  readonly ttl: number;
  readonly wait: number;
  /** For how long each holds, and rests after it: least and most milliseconds. */
  readonly hold: readonly [number, number];
  readonly rest: readonly [number, number];
  /** One hold in fifty lasts up to so many milliseconds. */
  readonly longest?: number;
  readonly callers: number;
  readonly share?: Share;
  /** Increments the fenced counter of the name under each hold. */
  readonly counts: boolean;
  /** Some of them work inside their holds as well, by entries that are awaited or not. */
  readonly nests?: boolean;
  /** Half of the holds may be kept after their release, and some callers ask once. */
  readonly lingers?: boolean;
  readonly seed: number;
}

/** The names at which every kind but the mutex is used. */
export interface KindsOptions {
  readonly readWrite: string;
  readonly semaphore: string;
  /** How many permits the semaphore has. */
  readonly capacity: number;
  readonly ttl: number;
  readonly seed: number;
}

/** The names whose holds are handed over: a mutex, and a lock of readers and writers. */
export interface RelayOptions {
  readonly parcel: string;
  readonly trolley: string;
  readonly ttl: number;
  readonly seed: number;
}

export interface Churned {
  readonly granted: number;
  readonly refused: number;
}

/** What a runner may ask of a worker process. */
export interface WorkerCommands {
  /** Probes the server, as an application does at its start; resolves with what was warned of until now. */
  ready(): Promise<string[]>;
  /** Acquires and keeps it. */
  take(name: string, options: TakeOptions): Promise<Take>;
  /** Releases what `take` got. */
  give(id: string): Promise<string>;
  renew(id: string): Promise<string>;
  /** Renews and releases without waiting for the renewal in between. */
  renewAndGive(id: string): Promise<string>;
  /** Several takes at once, each given back at once; resolves with the codes of the refusals and 'granted'. */
  burst(names: readonly string[], options: TakeOptions): Promise<Record<string, number>>;
  /** Releases when `left` ms of the lease remain; a negative number is after its end. */
  giveNearEnd(id: string, left: number): Promise<string>;
  held(id: string): Promise<boolean>;
  lateness(id: string): Promise<number | undefined>;
  /** Blocks the event loop; then whether `assertHeld` throws at the very first chance, and whether a stale write is taken. */
  block(ms: number, id?: string, name?: string): Promise<{ threw: boolean; written: boolean }>;
  /** Turns in a synchronous loop until the process was stopped for `ms`; then as `block`. */
  spinUntilStopped(ms: number, id: string, name: string): Promise<{ threw: boolean; written: boolean }>;
  /** Takes and gives until told to stop. */
  churn(options: ChurnOptions): Promise<Churned>;
  /** The same with the other kinds. */
  churnKinds(options: KindsOptions): Promise<Churned>;
  /** Takes, hands over, and resumes what any process has handed over. */
  churnRelay(options: RelayOptions): Promise<Churned>;
  stopChurn(): Promise<void>;
  /** Runs strangers' work in the async context of holders; resolves with how often it did. */
  borrow(name: string, rounds: number): Promise<number>;
  /** Sets a latch, counts it down by one, and waits for it; whether it opened in time. */
  passLatch(name: string, count: number, wait: number): Promise<boolean>;
  begin(id: string, name: string): Promise<number | undefined>;
  read(name: string): Promise<number>;
  /** What its wall clock shows. */
  wallClock(): Promise<number>;
  measureLag(on: boolean): Promise<void>;
  /** Closes the service; resolves with what was warned of, and whether waiting for it took long. */
  close(): Promise<{ warnings: string[]; ms: number }>;
  exit(): Promise<void>;
}

export interface WorkerSetup {
  readonly label: string;
  readonly contender: 'own' | 'redlock' | 'redis-semaphore';
  readonly url: string;
  /** Options instead of the URL, where several servers are to be named; only our own library takes them. */
  readonly redis?: Readonly<Record<string, unknown>>;
  readonly history: string;
  readonly counters: string | undefined;
  readonly guard?: number;
  readonly shutdownGrace?: number;
  readonly givenClient?: boolean;
}

export interface WorkerCall {
  readonly call: number;
  readonly command: keyof WorkerCommands;
  readonly args: unknown[];
}

export type WorkerReply = { call: number; value: unknown } | { call: number; error: string };
