import { LockError, LockStoreError, LockUsageError } from '../plain.js';

/**
 * What the command ends with: 0 done, 1 not found or refused, 2 a wrong call, 3 the store cannot be reached, 4 anything
 * unexpected.
 */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3, unexpected: 4 } as const;

/** Ends the command with a sentence on stderr. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** What the command ends with after an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  if (!LockError.is(error)) return EXIT.unexpected;
  if (error instanceof LockUsageError) return EXIT.usage;
  return error instanceof LockStoreError && !error.refused ? EXIT.unreachable : EXIT.refused;
}

/** A wrong call of the command. */
export function usage(message: string): CommandError {
  return new CommandError(`${message}\nnestjs-distributed-lock --help says more.`, EXIT.usage);
}
