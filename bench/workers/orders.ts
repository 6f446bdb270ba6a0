import type { Cycles } from './cycles.js';
import type { Callee } from './decorated.js';
import type { Again, Wanted } from './lingering.js';
import type { Sessions } from './sessions.js';

/** What a worker may be told. */
export type Order =
  | { readonly do: 'contend'; readonly contention: Contention }
  | { readonly do: 'sessions'; readonly sessions: Sessions }
  | { readonly do: 'hand-offs'; readonly handOffs: HandOffs }
  | { readonly do: 'bare'; readonly url: string; readonly name: string; readonly ms: number }
  | { readonly do: 'hold'; readonly entrant: string; readonly url: string; readonly name: string }
  | { readonly do: 'release' }
  | { readonly do: 'wait'; readonly entrant: string; readonly url: string; readonly name: string }
  | { readonly do: 'granted' }
  | { readonly do: 'listen'; readonly url: string; readonly channel: string }
  | { readonly do: 'publish'; readonly url: string; readonly channel: string }
  | { readonly do: 'heard' }
  | { readonly do: 'cycles'; readonly cycles: Cycles }
  | { readonly do: 'call'; readonly callee: Callee; readonly count: number }
  | { readonly do: 'again'; readonly again: Again }
  | { readonly do: 'grant'; readonly wanted: Wanted; readonly rmw: boolean }
  | { readonly do: 'answer'; readonly url: string; readonly channel: string }
  | { readonly do: 'there-and-back'; readonly url: string; readonly channel: string }
  | { readonly do: 'try'; readonly wanted: Wanted }
  | { readonly do: 'try-for'; readonly wanted: Wanted; readonly every: number; readonly ms: number }
  | { readonly do: 'look-for'; readonly wanted: Wanted; readonly every: number; readonly ms: number }
  | { readonly do: 'late' }
  | { readonly do: 'close' };

/** Callers of one process who want one name. */
export interface Contention {
  readonly entrant: string;
  readonly url: string;
  readonly name: string;
  readonly callers: number;
  readonly section: 'empty' | 'rmw';
  /** What is counted, by the wall clock of the machine: all processes are at it when it begins. */
  readonly from: number;
  readonly to: number;
}

/** What came of it in one process. */
export interface ContentionOutcome {
  /** By caller: how often it was served while the round lasted. */
  readonly served: number[];
  /** Sections run in all, those after the end of the round as well. */
  readonly sections: number;
  /** Microseconds of this process for each section since the round began. */
  readonly client: number;
  readonly waits: { counts: number[]; longest: number };
}

/** Callers of one process who want one name, and nobody else does. */
export interface HandOffs {
  readonly entrant: string;
  readonly url: string;
  readonly callers: number;
  readonly count: number;
}

export interface HandOffsOutcome {
  /** A second. */
  readonly handOffs: number;
  /** In a second of processor time. */
  readonly perCpu: number;
}
