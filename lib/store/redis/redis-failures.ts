import { LockStoreError } from '../../base/lock-store-error.js';
import { withoutCredentials } from './redis-address.js';

// The server's words after which trying again is in vain.
const DEFINITE = /^(OOM|NOAUTH|WRONGPASS|NOPERM|MISCONF|NOREPLICAS|ERR|CROSSSLOT) /;

// The client's words for a connection that is gone speak of its options, which are not the user's to set.
const OUR_WORDS: readonly (readonly [known: RegExp, ours: string])[] = [
  [/^Stream isn't writeable/, 'the connection is down, and nothing was sent'],
  [
    /^(Connection is closed|Reached the max retries per request)/,
    'the connection was lost before the answer came; its outcome is unknown',
  ],
];

/** What went wrong at one server, in words that never show its password. */
export class RedisFailures {
  constructor(
    private readonly address: string,
    private readonly secrets: readonly (string | null | undefined)[],
  ) {}

  /** The error of a command that failed. */
  of(what: string, error: unknown): LockStoreError {
    const theirs = this.wordsOf(error as Error).replace(/^ERR (?=LOCK)/, ''); // some servers put it before our own words
    const words = OUR_WORDS.find(([known]) => known.test(theirs))?.[1] ?? theirs;
    const refused = { refused: true };
    const [, kind] = /^LOCKFOREIGN (a \w+)/.exec(words) ?? [];
    if (kind)
      return new LockStoreError(
        `The key of this lock at ${this.address} holds ${kind}: its name is in use; choose another name.`,
        undefined,
        { refused: true, foreign: true },
      );
    if (words.startsWith('LOCKNEWER'))
      return new LockStoreError(
        `The record of this lock at ${this.address} was written by a newer version of this library (format ${words.slice(10)}); ` +
          'update this process.',
        undefined,
        refused,
      );
    if (words.startsWith('LOCKFOREIGN') || words.startsWith('WRONGTYPE'))
      return new LockStoreError(
        `The key of this lock at ${this.address} holds a foreign value (${words}); choose another namespace or remove it.`,
        undefined,
        { refused: true, foreign: true },
      );
    // The client's own error carries the arguments of its command, and those may be credentials.
    return new LockStoreError(`Redis at ${this.address} failed ${what}: ${words}`, undefined, {
      cause: new Error(words),
      refused: DEFINITE.test(words),
    });
  }

  /** The error of a server that could not be asked. */
  unreachable(words: string, timeout: number): LockStoreError {
    return new LockStoreError(
      `Redis at ${this.address} is not reachable (${words}); gave up after ${Math.round(timeout)} ms.`,
    );
  }

  /** The error of a command that was not answered in time. */
  silent(what: string, timeout: number): LockStoreError {
    return new LockStoreError(
      `Redis at ${this.address} did not answer ${what} within ${Math.round(timeout)} ms; its outcome is unknown.`,
    );
  }

  /** The error of a server that can never serve as it is asked to. */
  useless(words: string): LockStoreError {
    return new LockStoreError(`Redis at ${this.address} cannot be used: ${words}.`, undefined, {
      refused: true,
    });
  }

  wordsOf(error: Error): string {
    let words = withoutCredentials(error.message || (error as NodeJS.ErrnoException).code || String(error));
    for (const secret of this.secrets) if (secret) words = words.replaceAll(secret, '***');
    return words;
  }
}

/** A failure, with the lock that it hit; a text that speaks of "this lock" names it. */
export function about(name: string, error: unknown): Error {
  if (!(error instanceof LockStoreError)) return error as Error;
  return error.about(
    name,
    error.message.replace('this lock', () => `'${name}'`),
  );
}

/** A reply that no script of ours gives. */
export function nonsense(address: string, kind: string, name: string): LockStoreError {
  return new LockStoreError(`Redis at ${address} gave an answer to ${kind} that makes no sense.`, name);
}
