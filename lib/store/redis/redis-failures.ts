import { LockStoreError } from '../../base/errors.js';
import type { Durability } from '../lock-store.js';
import { withoutCredentials } from './redis-address.js';

// Servers say where in a script an error was, and Redis 6.2 hides its code behind that:
// "ERR Error running script (call to f_0ae1…): @user_script:36: @user_script: 36: -READONLY You can't write against …".
const WHERE_IN_SCRIPT =
  /^ERR Error running script \(call to \w+\): |@?user_script: ?\d+: -?|,? script: (?:\w+, )?on @?user_script:\d+\.?|\s+$/g;
// A right that is missing inside a script has no code of its own: in the words of Redis 6.2 and 7.0, and of later ones.
const DENIED_IN_SCRIPT = /^(?:ERR )?(?:The user executing the script can't|ACL failure in script)/;
const CODE =
  /(?:^|-|: )(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|NOAUTH|WRONGPASS|NOPERM|MISCONF|NOREPLICAS|WRONGTYPE|CROSSSLOT|MOVED|ASK)\b/;
// After these, trying again is in vain.
const DEFINITE = /^(OOM|NOAUTH|WRONGPASS|NOPERM|MISCONF|NOREPLICAS|ERR|CROSSSLOT|MOVED)$/;
const UNSENT = /^Stream isn't writeable/;
const LOST = /^(Connection is closed|Reached the max retries per request)/;

// The client's words for a connection that is gone speak of its options, which are not the user's to set.
const OUR_WORDS: readonly (readonly [known: RegExp, ours: string])[] = [
  [UNSENT, 'the connection is down, and nothing was sent'],
  [LOST, 'the connection was lost before the answer came; its outcome is unknown'],
];

/** What a server is that takes no writes. */
export const REPLICA = 'READONLY: it is a replica';
const SENTINELS = "{ sentinels: [{ host, port }, …], name: 'mymaster' }";

const CLUSTER = 'Give the cluster: redis: { cluster: [{ host, port }, …] }.';

/** The server's code of an error, also of one inside a script: READONLY, OOM, NOPERM, ERR, … */
export function codeOf({ message }: Error): string | undefined {
  const words = withoutPlace(message);
  if (DENIED_IN_SCRIPT.test(words)) return 'NOPERM';
  const code = CODE.exec(words)?.[1] ?? /^[A-Z]+(?= )/.exec(words)?.[0];
  return code ?? (words === message ? undefined : 'ERR');
}

/** What a server says of an error, without where in a script it was. */
function withoutPlace(message: string): string {
  return message.replace(WHERE_IN_SCRIPT, '');
}

/** Whether a command failed before any of it was sent. */
export function isUnsent(error: Error): boolean {
  return UNSENT.test(error.message);
}

/** Whether the connection went away under a command: the server may have read it, or not. */
export function isLost(error: Error): boolean {
  return LOST.test(error.message);
}

// The server's word that it does not let us in.
const DENIED = /\b(WRONGPASS|NOAUTH)\b|\bERR invalid password/;

// Each script of ours names one key of one slot. A server that says so of one is Valkey 9 after a script of somebody else
// that named keys of several slots; it says so of every script from then on.
const SPOILED =
  /Attempted to access a non local key in a cluster node|attempted to access keys that do not hash to the same slot/;

/** Whether a server says that it is no node of a cluster. */
export function isNoCluster(words: string): boolean {
  return /cluster support disabled/i.test(words);
}

/** Whether the server does not let us in. */
export function isDenied({ message }: Error): boolean {
  return DENIED.test(message);
}

/** What went wrong at one server, in words that never show its password. */
export class RedisFailures {
  /** Where each secret stands in a text. */
  private readonly secrets = new Map<string, RegExp>();

  constructor(
    private readonly address: string,
    secrets: readonly (string | null | undefined)[],
  ) {
    this.hide(secrets);
  }

  /** From now on, no message shows these either. */
  hide(secrets: readonly (string | null | undefined)[]): void {
    for (const secret of secrets)
      if (secret && !this.secrets.has(secret)) this.secrets.set(secret, placesOf(secret));
  }

  /** The error of a command that failed. */
  of(what: string, error: unknown): LockStoreError {
    if (error instanceof LockStoreError) return error; // of a step of a larger command
    const theirs = this.wordsOf(error as Error).replace(/^ERR (?=LOCK)/, ''); // some servers put it before our own words
    const words = OUR_WORDS.find(([known]) => known.test(theirs))?.[1] ?? theirs;
    const code = codeOf(new Error(words));
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
    if (words.startsWith('LOCKFOREIGN') || code === 'WRONGTYPE')
      return new LockStoreError(
        `The key of this lock at ${this.address} holds a foreign value (${words}); choose another namespace or remove it.`,
        undefined,
        { refused: true, foreign: true },
      );
    if (SPOILED.test(words))
      return this.useless(
        'a script of another application named keys of several slots, and since then this node fails the scripts of ' +
          `everybody (Valkey 9 does so until it is restarted): restart it, or let a replica take its place (${words})`,
      );
    if (code === 'MOVED')
      return new LockStoreError(
        `Redis at ${this.address} does not serve this name: it is one node of a cluster, and another node has the name ` +
          `(${words}). ${CLUSTER}`,
        undefined,
        refused,
      );
    // The client's own error carries the arguments of its command, and those may be credentials.
    return new LockStoreError(`Redis at ${this.address} failed ${what}: ${words}`, undefined, {
      cause: new Error(words),
      refused: code !== undefined && DEFINITE.test(code),
    });
  }

  /** The error of a server that does not let us in. */
  denied(words: string): LockStoreError {
    return new LockStoreError(
      `Redis at ${this.address} refused the user or the password: ${words}`,
      undefined,
      { refused: true },
    );
  }

  /** The error of a cluster that keeps names on several servers. */
  sharded(shards: number): LockStoreError {
    return this.useless(
      `it is one node of a cluster of ${shards} shards, and the other shards have names of their own. ${CLUSTER}`.replace(
        /\.$/,
        '',
      ),
    );
  }

  /** The error of a command for which no node of the cluster was found in its time. */
  unsettled(what: string, error: Error): LockStoreError {
    return new LockStoreError(
      `Redis at ${this.address} did not serve ${what} in time, since the cluster changes: ${this.wordsOf(error)}`,
    );
  }

  /** The error of a server that is given as a node of a cluster, and is none. */
  noCluster(): LockStoreError {
    return this.useless(
      'it is no node of a cluster; give its address by itself, as in redis: { host, port }',
    );
  }

  /** The error of a server that copies another one. */
  replica(): LockStoreError {
    return this.useless(`${REPLICA}; connect to its master, or name its sentinels as ${SENTINELS}`);
  }

  /** The error of a server that only knows where others are. */
  sentinel(): LockStoreError {
    return this.useless(`it is a sentinel; give the sentinels as options, as in redis: ${SENTINELS}`);
  }

  /** The error of a server that could not be asked within `timeout` ms, or at all. */
  unreachable(words: string, timeout?: number): LockStoreError {
    const span = timeout === undefined ? '' : `: no connection within ${Math.round(timeout)} ms`;
    return new LockStoreError(`Redis at ${this.address} is not reachable (${words})${span}.`);
  }

  /** The error of a command that was not answered in time. */
  silent(what: string, timeout: number): LockStoreError {
    return new LockStoreError(
      `Redis at ${this.address} did not answer ${what} within ${Math.round(timeout)} ms; its outcome is unknown.`,
    );
  }

  /** The error of a grant that too few replicas have. */
  unacknowledged(count: number, { replicas }: Durability, ms: number): LockStoreError {
    return new LockStoreError(
      `Redis at ${this.address} granted this lock, but ${count} of ${replicas} replicas had acknowledged it after ` +
        `${ms} ms (option durability): the grant is given back.`,
      undefined,
      { replicas: count },
    );
  }

  /** The error of a grant that comes from another server than the one that commands go to. */
  elsewhere(): LockStoreError {
    return new LockStoreError(
      `Redis at ${this.address} is another server for acquires than for other commands: one of the two connections ` +
        'has not followed a failover yet.',
    );
  }

  /** The error of a server that can never serve as it is asked to. */
  useless(words: string): LockStoreError {
    return new LockStoreError(`Redis at ${this.address} cannot be used: ${words}.`, undefined, {
      refused: true,
    });
  }

  wordsOf(error: Error): string {
    const message = error.message || (error as NodeJS.ErrnoException).code || String(error);
    let words = withoutCredentials(withoutPlace(message));
    for (const secret of this.secrets.values()) words = words.replace(secret, '***');
    return words;
  }
}

/**
 * Where a secret stands in the words of a server: as a whole, never inside a word. One of a few letters may be an
 * ordinary word by itself, so it counts only where a server repeats what it was given: in quotes, or at the end.
 */
function placesOf(secret: string): RegExp {
  const text = secret.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const whole = `(?<![\\p{L}\\p{N}])${text}(?![\\p{L}\\p{N}])`;
  const repeated = `(?<=(['"\`]))${text}(?=\\1)|(?<=\\s)${text}$`;
  return new RegExp(/^\p{L}{1,3}$/u.test(secret) ? repeated : whole, 'gu');
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
