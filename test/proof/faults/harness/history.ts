import { closeSync, openSync, writeSync } from 'node:fs';
import type { LockHistoryEvent, RecordedKind } from '../../../../lib/locks/lock-history.js';

/** The host's monotonic clock in milliseconds, the same in every process. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What is asked for; every kind is a share of the units of a name. */
export type Kind = RecordedKind;

/** Points of time are {@link monotonic}; spans are milliseconds. */
export type HistoryEvent =
  // What the recorder of the library writes, too. Rules, acquires and grants have more here.
  | Exclude<LockHistoryEvent, { type: 'rule' | 'acquire' | 'granted' }>
  | { type: 'seed'; seed: number }
  /** What holds of a name: units there are, the longest gap between an end and the next grant, how often a later comer may overtake. */
  | (LockHistoryEvent & { type: 'rule' } & { gap?: number; overtakes?: number; settle?: number })
  /**
   * A reader that goes on where a writer stopped (downgrade) asks at that moment, and `follows` the writer. Whoever
   * `resumes` a hold goes on with what its process has handed over.
   */
  | (LockHistoryEvent & { type: 'acquire' } & { follows?: string; resumes?: string })
  /** `previous` is the note that was found, of a hold that resumes another one. */
  | (LockHistoryEvent & { type: 'granted' } & { previous?: string })
  /** The store has the note of a hold, which is its id. */
  | { type: 'noted'; id: string; at: number }
  | { type: 'released'; id: string; at: number; outcome: string }
  /** Work begins inside a hold, or inside another entry of it (`of`); `held` is what its own lease says. */
  | { type: 'enter'; id: string; of: string; at: number; held: boolean }
  | { type: 'left'; id: string; at: number; held: boolean }
  /** What was asked of a countdown latch; without an answer anything may have come of it. */
  | { type: 'latch-set'; id: string; name: string; at: number; count: number; ttl: number }
  | { type: 'latch-down'; id: string; name: string; at: number; by: string }
  | { type: 'latch-wait'; id: string; name: string; at: number }
  | { type: 'latch-answer'; id: string; at: number; set?: boolean; left?: number; opened?: boolean }
  | { type: 'write'; id: string; name: string; at: number }
  | { type: 'written'; id: string; at: number; accepted: boolean }
  /** What the counter of a name shows in the end. */
  | { type: 'counter'; name: string; value: number }
  /** Somebody must be granted the name within this span. */
  | { type: 'expect'; name: string; after: number; within: number; what: string }
  /**
   * The server forgot everything, between `from` and `at`; what was granted before may still be believed for a while.
   * With `maybe` it forgot the last writes at most.
   */
  | { type: 'state-lost'; at: number; until: number; from?: number; maybe?: boolean }
  | { type: 'fault'; kind: string; at: number }
  | { type: 'lag'; process: string; ms: number }
  | { type: 'ping'; ms: number }
  | { type: 'crash'; process: string; at: number; message: string }
  /** A span that a row measured, and its bound. */
  | { type: 'bound'; what: string; ms: number; bound: number }
  /** What a row itself saw. */
  | { type: 'claim'; what: string; ok: boolean };

/** Appends to the history; several processes write to one file, a line at a time, and a kill loses nothing. */
export class HistoryFile {
  private readonly file: number;

  constructor(path: string) {
    this.file = openSync(path, 'a');
  }

  add(event: HistoryEvent): void {
    writeSync(this.file, `${JSON.stringify(event)}\n`);
  }

  close(): void {
    closeSync(this.file);
  }
}
