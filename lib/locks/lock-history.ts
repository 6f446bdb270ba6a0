/** The record of what happens to locks, as the recorder keeps it and as the checker of the proofs reads it. Types only. */

/** What is asked for; every kind is a share of the units of a name. */
export type RecordedKind = 'mutex' | 'read' | 'write' | 'permits';

/**
 * One line of a recording. Points of time (`at`, `until`) are milliseconds of the host's monotonic clock, which is the same
 * for all its processes. The events of one acquisition have the same `id`.
 *
 * @publicApi
 */
export type LockHistoryEvent =
  /** How many units a name has in all. */
  | { readonly type: 'rule'; readonly name: string; readonly capacity?: number }
  /** A caller of a process asked. A mutex or a writer asks for all units. */
  | {
      readonly type: 'acquire';
      readonly id: string;
      readonly process: string;
      readonly name: string;
      readonly at: number;
      readonly kind?: RecordedKind;
      readonly units?: number;
    }
  /** It was granted, and is held until then unless it is renewed. */
  | {
      readonly type: 'granted';
      readonly id: string;
      readonly at: number;
      readonly until: number;
      readonly held: boolean;
      readonly fence?: number;
    }
  | {
      readonly type: 'refused';
      readonly id: string;
      readonly at: number;
      readonly code: string;
      readonly message: string;
    }
  /** It was renewed, and is held until then. */
  | {
      readonly type: 'sample';
      readonly id: string;
      readonly at: number;
      readonly held: boolean;
      readonly until: number;
    }
  | { readonly type: 'lost'; readonly id: string; readonly at: number; readonly reason: string }
  | { readonly type: 'release'; readonly id: string; readonly at: number };
