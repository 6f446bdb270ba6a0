import { closeSync, openSync, writeSync } from 'node:fs';

/** The host's monotonic clock in milliseconds, the same in every process. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Points of time are {@link monotonic}; spans are milliseconds. */
export type HistoryEvent =
  | { type: 'seed'; seed: number }
  /** What holds of a name: units there are, the longest gap between an end and the next grant, how often a later comer may overtake. */
  | { type: 'rule'; name: string; capacity?: number; gap?: number; overtakes?: number; settle?: number }
  | { type: 'acquire'; id: string; process: string; name: string; at: number; units?: number }
  | { type: 'granted'; id: string; at: number; until: number; held: boolean; fence?: number }
  | { type: 'refused'; id: string; at: number; code: string; message: string }
  | { type: 'sample'; id: string; at: number; held: boolean; until: number }
  | { type: 'lost'; id: string; at: number; reason: string }
  | { type: 'release'; id: string; at: number }
  | { type: 'released'; id: string; at: number; outcome: string }
  | { type: 'write'; id: string; name: string; at: number }
  | { type: 'written'; id: string; at: number; accepted: boolean }
  /** What the counter of a name shows in the end. */
  | { type: 'counter'; name: string; value: number }
  /** Somebody must be granted the name within this span. */
  | { type: 'expect'; name: string; after: number; within: number; what: string }
  /** The server forgot everything; what was granted before may still be believed for a while. */
  | { type: 'state-lost'; at: number; until: number }
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
