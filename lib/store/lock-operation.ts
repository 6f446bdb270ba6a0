/** All spans and points of time in this file are whole microseconds; points are the server's clock. */

/**
 * An exclusive hold whose holder waits, as its process says it with a place in the queue: it is not given back before that
 * wait is over.
 */
export interface StuckHold {
  /** The name that is held, the attempt id that has it, and the fence of the lease. */
  readonly name: string;
  readonly id: string;
  readonly fence: number;
  /** Which wait of the session it is, so that a later one is not taken for the same. */
  readonly turn: number;
  /** Whether that wait may be ended when it is part of a deadlock. */
  readonly yields: boolean;
  /** What is waited for: the hold at that place of the list; -1 for the name of the queue. */
  readonly behind: number;
}

/** Asks for units of a lock, asks again for an answer that got lost, or keeps a place in the queue. */
export interface AcquireOperation {
  readonly kind: 'acquire';
  /** The attempt id: who asks. Unique per acquisition, and what makes a repeat harmless. */
  readonly id: string;
  readonly units: number;
  readonly capacity: number;
  readonly ttl: number;
  readonly guard: number;
  /** How many fences an exclusive grant reserves. */
  readonly block: number;
  /** How much longer the caller waits; 0 never queues. */
  readonly wait: number;
  /** Whether the attempt's session hears notices. */
  readonly subscribed: boolean;
  /** Random text without spaces that a pushed grant repeats: without it nobody can forge a grant. */
  readonly seal: string;
  /** The identity of the caller, for people: `host:pid label`. */
  readonly identity: string;
  /** What waits behind this attempt and holds something meanwhile. Absent unless somebody does. */
  readonly holding?: readonly StuckHold[];
  /** Server time after which this command changes nothing. */
  readonly notAfter?: number;
}

/** Moves the deadline of a hold forward, and confirms a pushed grant. Never creates a hold. */
export interface RenewOperation {
  readonly kind: 'renew';
  readonly id: string;
  readonly ttl: number;
  readonly guard: number;
  readonly block: number;
  /** The last fence used of the block. */
  readonly used: number;
  readonly notAfter?: number;
  /** Whether the store shall say when somebody else changes the record, if it is one that can. No part of the command. */
  readonly tracked?: boolean;
}

/** Ends a hold, or leaves the queue; then the next in the queue is granted. */
export interface ReleaseOperation {
  readonly kind: 'release';
  readonly id: string;
  /** The last fence that was used of the block, 0 for none; the rest goes back. */
  readonly used: number;
  /** Keep the units this much longer instead of giving them back now (minimum hold); 0 gives them back. */
  readonly keep: number;
  /** Mark the name as done for this long (run once); 0 marks nothing. */
  readonly done: number;
}

/** Gives units of a hold back; it never takes more. */
export interface DowngradeOperation {
  readonly kind: 'downgrade';
  readonly id: string;
  readonly units: number;
  readonly used: number;
}

/** Takes the lock away from its holders: at their next renewal or deadline, with `force` at once. */
export interface RevokeOperation {
  readonly kind: 'revoke';
  readonly reason: string;
  readonly force: boolean;
}

/**
 * Lets the hold of one id go on as that of another, with a larger fence and the full ttl. Never creates a hold.
 *
 * @publicApi
 */
export interface TakeOverOperation {
  readonly kind: 'takeOver';
  /** The id that holds from now on. A repeat by it has the same answer; any other id comes too late. */
  readonly id: string;
  /** The id that holds now, and then never again. Whoever knows it may take its hold over. */
  readonly from: string;
  /** The last fence that `from` used of its block, 0 for none; the rest goes back. */
  readonly used: number;
  /** How many of the units go on; more than `from` has are not taken. */
  readonly units: number;
  readonly ttl: number;
  readonly guard: number;
  /** How many fences an exclusive hold reserves. */
  readonly block: number;
  /** `host:pid label` of the new holder, for people. */
  readonly identity: string;
  readonly notAfter?: number;
}

/**
 * Writes what those who hold the name later are told; an empty text takes it back.
 *
 * @publicApi
 */
export interface NoteOperation {
  readonly kind: 'note';
  readonly id: string;
  readonly text: string;
  /** Grows with each note of a hold, so that a late copy of an older one changes nothing. */
  readonly turn: number;
  /** As that of a renewal. */
  readonly tracked?: boolean;
}

/**
 * What can be asked of a store about one name.
 *
 * @publicApi
 */
export type LockOperation =
  | AcquireOperation
  | RenewOperation
  | ReleaseOperation
  | DowngradeOperation
  | RevokeOperation
  | TakeOverOperation
  | NoteOperation;

interface At {
  /** The server's clock when it answered. */
  readonly now: number;
}

/** An id holds the name. */
export interface Granted {
  readonly outcome: 'granted';
  readonly first: number;
  readonly last: number;
  /** Whether others stand in the queue. */
  readonly contended: boolean;
  /** Whether the name carries a mark that its work was done (run once). */
  readonly done: boolean;
  /** What a holder before left as its note, if there is one. */
  readonly note?: string;
  /** How many replicas have the grant; only where a store was told to wait for some. */
  readonly replicas?: number;
}

export type AcquireAnswer = At &
  (
    | Granted
    | {
        readonly outcome: 'queued';
        /** How many stand before this one, at most. */
        readonly place: number;
        /** When the next hold ends unless renewed. */
        readonly due: number;
        /** False when the server found nobody subscribed to this session's channel. */
        readonly heard: boolean;
        /** The identity of a holder. */
        readonly holder: string;
      }
    | {
        readonly outcome: 'busy';
        readonly due: number;
        readonly holder: string;
        /** Whether a holder that may linger was told that the name is wanted: it is worth asking again a little later. */
        readonly roused: boolean;
      }
    /** The name is in use as a lock of another capacity. */
    | { readonly outcome: 'mismatch'; readonly capacity: number; readonly roused: boolean }
    /** The attempt is over: it was released, or revoked. */
    | { readonly outcome: 'gone' }
    | { readonly outcome: 'late' }
  );

/** An operator took the hold away. */
interface Revoked {
  readonly outcome: 'revoked';
  /** Why; '' when that is not known. */
  readonly reason: string;
}

export type RenewAnswer = At &
  (
    | { readonly outcome: 'renewed'; readonly last: number; readonly contended: boolean }
    | Revoked
    | { readonly outcome: 'lost' | 'late' }
  );

export type ReleaseAnswer = At & { readonly outcome: 'released' | 'dequeued' | 'gone' };

export type DowngradeAnswer = At & (Revoked | { readonly outcome: 'downgraded' | 'lost' });

export type RevokeAnswer = At & {
  readonly outcome: 'marked' | 'freed';
  /** How many holds it took away. */
  readonly count: number;
  /** The identity of the first of them; '' for none. */
  readonly holder: string;
};

/**
 * `lost`: somebody has taken it over already, or it was given back, or its time is over.
 *
 * @publicApi
 */
export type TakeOverAnswer = At & (Granted | Revoked | { readonly outcome: 'lost' | 'late' });

/**
 * The answer to a note; `lost` when the id holds nothing.
 *
 * @publicApi
 */
export type NoteAnswer = At & (Revoked | { readonly outcome: 'noted' | 'lost' });

/**
 * The answer that belongs to an operation.
 *
 * @publicApi
 */
export type AnswerTo<O extends LockOperation> = O extends AcquireOperation
  ? AcquireAnswer
  : O extends RenewOperation
    ? RenewAnswer
    : O extends ReleaseOperation
      ? ReleaseAnswer
      : O extends DowngradeOperation
        ? DowngradeAnswer
        : O extends TakeOverOperation
          ? TakeOverAnswer
          : O extends NoteOperation
            ? NoteAnswer
            : RevokeAnswer;

export type LockAnswer =
  AcquireAnswer | RenewAnswer | ReleaseAnswer | DowngradeAnswer | RevokeAnswer | TakeOverAnswer | NoteAnswer;

/**
 * What the store pushes to the session of an attempt.
 *
 * @publicApi
 */
export type LockNotice =
  | {
      readonly kind: 'granted';
      readonly id: string;
      readonly first: number;
      readonly last: number;
      /** The server's deadline without the guard. */
      readonly until: number;
      /** How long the claim lasts unless it is confirmed. */
      readonly span: number;
      readonly contended: boolean;
      readonly done: boolean;
      /** What a holder before left as its note, if there is one. */
      readonly note?: string;
      /** The seal of the last acquire that the server has read. */
      readonly seal: string;
      /** Which server granted, where several do. */
      readonly server?: string | undefined;
    }
  /** Somebody queued behind this hold. */
  | { readonly kind: 'contended'; readonly id: string }
  /** Somebody asked once for what this hold has: it is given back if nobody uses it. */
  | { readonly kind: 'wanted'; readonly id: string }
  | { readonly kind: 'revoked'; readonly id: string; readonly reason: string }
  /** The latch that this id watches has opened. */
  | { readonly kind: 'opened'; readonly id: string }
  /** The echo of a sign of life: notices reach this session. */
  | { readonly kind: 'echo'; readonly id: string };

/**
 * A grant that was pushed.
 *
 * @publicApi
 */
export type Grant = LockNotice & { readonly kind: 'granted' };
