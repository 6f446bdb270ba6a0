import type { LockStore } from '../../store/lock-store.js';
import { acquireCases } from './acquire.js';
import { type Cases, Sessions } from './fixture.js';
import { handOffCases, noticeCases } from './hand-off.js';
import { expiryCases, releaseCases, renewCases } from './holding.js';
import { latchCases } from './latches.js';
import { listCases, readCases, revokeCases } from './operators.js';
import { sessionCases } from './sessions.js';
import { noteCases, takeOverCases } from './take-over.js';

const PARTS: Readonly<Record<string, Cases>> = {
  acquire: acquireCases,
  'hand-off': handOffCases,
  notices: noticeCases,
  expiry: expiryCases,
  renew: renewCases,
  release: releaseCases,
  'take-over': takeOverCases,
  note: noteCases,
  revoke: revokeCases,
  read: readCases,
  list: listCases,
  latch: latchCases,
  'a session': sessionCases,
};

/**
 * Opens one more session at the place where the store keeps its locks: two sessions share all names and all records.
 * `fenceMemory` is how long a record outlives its use, in milliseconds; sessions with another one never share a name.
 *
 * @publicApi
 */
export type OpenStore = (options: { readonly fenceMemory: number }) => Promise<LockStore>;

/**
 * What `storeContract` takes besides the store.
 *
 * @publicApi
 */
export interface StoreContractOptions {
  /**
   * Whether the store knows when nobody hears a notice. A node of a Redis cluster does not; a claim that nobody heard
   * of then lasts until its window ends. @default true
   */
  readonly countable?: boolean | undefined;
  /** How long a case waits for a notice before it fails, in milliseconds. @default 10 s */
  readonly patience?: number | undefined;
}

/**
 * One thing that every store promises.
 *
 * @publicApi
 */
export interface ContractCase {
  /** A part and a sentence: `acquire: answers a repeat with the same grant`. No two cases have the same name. */
  readonly name: string;
  /** Rejects, with an `AssertionError` as a rule, when the store does not keep the promise. */
  readonly run: () => Promise<void>;
}

/**
 * The promises of a store as cases, for the test runner of your choice.
 *
 * @publicApi
 */
export interface StoreContract {
  /** All cases. None depends on another one. Some measure time: run them one after another. */
  readonly cases: readonly ContractCase[];
  /** Closes the sessions that the cases opened. Call it when all have run. */
  readonly close: () => Promise<void>;
}

/**
 * The contract of a store: what it answers to every operation, what it pushes to whom, and what ends by itself. Every store
 * of this package keeps it, and a store that keeps it can replace them. It uses no test runner; each case takes names of its
 * own and needs a clock that runs.
 *
 * @publicApi
 */
export function storeContract(
  open: OpenStore,
  { countable = true, patience = 10_000 }: StoreContractOptions = {},
): StoreContract {
  const sessions = new Sessions((fenceMemory) => open({ fenceMemory }), countable, patience);
  const cases = Object.entries(PARTS).flatMap(([part, each]) =>
    Object.entries(each).map(([title, check]) => ({
      name: `${part}: ${title}`,
      run: async () => check(await sessions.fixture()),
    })),
  );
  return { cases, close: () => sessions.close() };
}
