/** The stable machine-readable word of a lock error; `LockError.is` goes by it. */
export type LockErrorCode = 'LOCK_BUSY' | 'LOCK_LOST' | 'LOCK_STORE' | 'LOCK_USAGE';

/** Makes the error that a caller is told out of the one that was found. */
export type Explanation = (error: Error) => Error;

const CODES: ReadonlySet<unknown> = new Set<LockErrorCode>([
  'LOCK_BUSY',
  'LOCK_LOST',
  'LOCK_STORE',
  'LOCK_USAGE',
]);

/**
 * The base of every error this library throws on purpose.
 *
 * @publicApi
 */
export abstract class LockError extends Error {
  /** What kind of failure it is; the same in every copy of this package. */
  abstract readonly code: LockErrorCode;

  constructor(
    message: string,
    /** What the user locks; undefined when no one lock is concerned. */
    readonly lockName?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }

  /** Whether `error` is a LockError. Goes by `code`, so two copies of this package agree. */
  static is(error: unknown): error is LockError {
    return error instanceof Error && CODES.has((error as Partial<LockError>).code);
  }
}
