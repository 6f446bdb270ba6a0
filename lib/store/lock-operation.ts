/** All spans and points of time in this file are whole microseconds; points are the server's clock. */

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

export type LockOperation =
  AcquireOperation | RenewOperation | ReleaseOperation | DowngradeOperation | RevokeOperation;

interface At {
  /** The server's clock when it answered. */
  readonly now: number;
}

export type AcquireAnswer = At &
  (
    | {
        readonly outcome: 'granted';
        readonly first: number;
        readonly last: number;
        /** Whether others stand in the queue. */
        readonly contended: boolean;
        /** Whether the name carries a mark that its work was done (run once). */
        readonly done: boolean;
        /** How many replicas have the grant; only where a store was told to wait for some. */
        readonly replicas?: number;
      }
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
    | { readonly outcome: 'busy'; readonly due: number; readonly holder: string }
    /** The name is in use as a lock of another capacity. */
    | { readonly outcome: 'mismatch'; readonly capacity: number }
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

/** The answer that belongs to an operation. */
export type AnswerTo<O extends LockOperation> = O extends AcquireOperation
  ? AcquireAnswer
  : O extends RenewOperation
    ? RenewAnswer
    : O extends ReleaseOperation
      ? ReleaseAnswer
      : O extends DowngradeOperation
        ? DowngradeAnswer
        : RevokeAnswer;

export type LockAnswer = AcquireAnswer | RenewAnswer | ReleaseAnswer | DowngradeAnswer | RevokeAnswer;

/** What the store pushes to the session of an attempt. */
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
      /** The seal of the last acquire that the server has read. */
      readonly seal: string;
      /** Which server granted, where several do. */
      readonly server?: string;
    }
  /** Somebody queued behind this hold. */
  | { readonly kind: 'contended'; readonly id: string }
  | { readonly kind: 'revoked'; readonly id: string; readonly reason: string }
  /** The latch that this id watches has opened. */
  | { readonly kind: 'opened'; readonly id: string }
  /** The echo of a sign of life: notices reach this session. */
  | { readonly kind: 'echo'; readonly id: string };

/** A grant that was pushed. */
export type Grant = LockNotice & { readonly kind: 'granted' };
