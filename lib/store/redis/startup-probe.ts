import type { Redis } from 'ioredis';
import { wallTime } from '../../base/clock.js';
import { LockStoreError } from '../../base/errors.js';
import type { LockStore, StoreFindings } from '../lock-store.js';
import { FOR_TRACKING } from './least-rights.js';
import { codeOf } from './redis-failures.js';

const OLDEST = [6, 2] as const;

// Without these, waiters have to ask.
const NOTICES: ReadonlySet<string> = new Set(['publish', 'subscribe']);
// Without these, reports and latches fail, or foreign values have the wrong words.
const REPORTS: ReadonlySet<string> = new Set(['hgetall', 'hsetnx', 'hexists', 'scan']);
const DISPENSABLE: ReadonlySet<string> = new Set([...NOTICES, ...REPORTS]);

/** Where the store keeps its locks. */
interface Place {
  readonly namespace: string;
  /** What the keys begin with. */
  readonly prefix: string;
  /** Of the attempt that is made, and of its name. */
  readonly id: string;
  /** How long each step may take, in milliseconds. */
  readonly timeout: number;
  /** Runs the script `rights` for a key of ours. Rejects as a command does. */
  rights(key: string): Promise<unknown>;
  /** What became of a trial to subscribe to our channel: the server's error, or undefined. */
  readonly hearing: Promise<Error | undefined>;
  /** Whether the server is to track keys. */
  readonly tracking: boolean;
}

/**
 * Asks the server what it is, and tries what locks need by doing it on a temporary key. What may not be asked stays
 * unknown.
 *
 * @throws LockStoreError for a right without which there are no locks, with its name and what to add to the ACL
 */
export async function probe(
  client: Pick<Redis, 'info' | 'scan' | 'del' | 'call'>,
  store: Pick<LockStore, 'address' | 'session' | 'execute'>,
  place: Place,
): Promise<StoreFindings> {
  const { address } = store;
  const { id } = place;
  const name = probeName(id);
  const key = place.prefix + name;
  const missing = await missingRights(place, key, address);
  const [share, times] = [
    { units: 1, capacity: 1 },
    { ttl: 1_000_000, guard: 0, block: 1, wait: 0, seal: 'probe' },
  ];
  const acquire = { kind: 'acquire', id, ...share, ...times, subscribed: false, identity: 'probe' } as const;
  const taken = await store.execute(name, acquire, place.timeout);
  const shortage = taken.outcome === 'unacknowledged' ? taken.error : undefined;
  if (shortage?.refused) throw shortage; // WAIT is not allowed
  const release = { kind: 'release', id, used: 0, keep: 0, done: 0 } as const;
  const freed = await store.execute(name, release, place.timeout);
  // Measured here, since the acquire may have brought the script along.
  const roundTrip = freed.receivedAt - freed.sentAt;
  const clockOffset = Math.round(freed.now / 1_000 + roundTrip / 2 - wallTime());
  const [info, scan, untracked, deaf] = await Promise.all([
    client.info().catch(() => ''),
    failureOf(client.scan('0', 'MATCH', key, 'COUNT', 1)),
    place.tracking && refusesTracking(client),
    place.hearing,
    client.del(key),
  ]);
  if (scan && isDenied(scan.message)) missing.push('scan');
  if (deaf && isDenied(deaf.message)) missing.push('subscribe');
  const known = whatItIs(info);
  const warnings = [
    shortage &&
      `${shortage.message.replace(`'${name}'`, 'the lock of the start-up probe')} No lock can be taken until enough ` +
        'replicas follow.',
    info === '' &&
      `${address} does not answer INFO: its version, its role and whether it may evict locks are not known, and a ` +
        'lock that is handed to another process costs one more round trip. Allow INFO, if you can (ACL: +info).',
    known.role === 'slave' && `${address} is a replica: connect to the master, or name its sentinels.`,
    known.version !== undefined &&
      isOlder(known.version) &&
      `${address} runs ${known.server} ${known.version}; locks are tested from Redis ${OLDEST.join('.')} on: update the server.`,
    known.maxmemoryPolicy !== undefined &&
      known.maxmemoryPolicy !== 'noeviction' &&
      `${address} may evict locks when its memory is full (maxmemory-policy ${known.maxmemoryPolicy}): ` +
        "set it to 'noeviction', or keep locks on a server of their own.",
    ...wordsOn(missing, address, place.namespace),
    untracked &&
      `${address} does not let this user have keys tracked, so the option clientTracking has no effect: a lock that ` +
        'somebody deletes is noticed at its next renewal, a third of the ttl later at most. Allow it ' +
        `(ACL: ${FOR_TRACKING}), or leave the option out where the server does not know CLIENT TRACKING.`,
    deaf !== undefined &&
      !isDenied(deaf.message) &&
      `A second connection to ${address}, over which waiters are told of their grant, was not made: until it is, they ` +
        'ask ten times a second. Look at maxclients, and at what stands between.',
    process.env['NODE_ENV'] === 'production' &&
      place.namespace === 'lock' &&
      !isLocal(address) &&
      `Locks on ${address} use the default namespace 'lock': applications that share this server share their ` +
        'lock names. Set the option namespace.',
  ].filter((warning) => typeof warning === 'string');
  const publish = deaf === undefined && !missing.includes('publish');
  return { address, ...known, publish, roundTrip, clockOffset, warnings };
}

/**
 * The commands that the user may not use, of those without which locks work.
 *
 * @throws LockStoreError that names the others
 */
async function missingRights(place: Place, key: string, address: string): Promise<string[]> {
  const tried = await place.rights(key).catch((error: unknown) => {
    throw withRemedy(error, place.prefix);
  });
  const missing: string[] = [];
  for (const [index, word] of (tried as readonly string[]).entries())
    if (index % 2 === 1 && isDenied(word)) missing.push((tried as string[])[index - 1]!.toLowerCase());
  const needed = missing.filter((command) => !DISPENSABLE.has(command));
  if (needed.length === 0) return missing;
  throw new LockStoreError(
    `Redis at ${address} does not let this user run ${listOf(needed)} in scripts, and locks need that. ` +
      `Allow it (ACL: ${rightsFor(needed)}).`,
    undefined,
    { refused: true },
  );
}

/** Whether the server refuses client tracking: by how it refuses commands whose arguments are wrong on purpose. */
async function refusesTracking(client: Pick<Redis, 'call'>): Promise<boolean> {
  const tried = await Promise.all([
    failureOf(client.call('CLIENT', 'TRACKING', 'PROBE')),
    failureOf(client.call('CLIENT', 'CACHING', 'PROBE')),
    failureOf(client.call('CLIENT', 'ID')),
  ]);
  return tried.some(
    (error) => error && (isDenied(error.message) || /unknown subcommand/i.test(error.message)),
  );
}

/** What an operator has to know of rights without which locks work, but not all around them. */
function wordsOn(missing: readonly string[], address: string, namespace: string): string[] {
  const [channel, words] = [`${namespace}:session:*`, []] as [string, string[]];
  const notices = missing.filter((command) => NOTICES.has(command));
  const reports = missing.filter((command) => REPORTS.has(command));
  if (notices.length > 0)
    words.push(
      `${address} does not let this user ${listOf(notices)} to ${channel}, so waiters ask ten times a second instead of ` +
        `being told. Allow it (ACL: &${channel} ${rightsFor(notices)}).`,
    );
  if (reports.length > 0)
    words.push(
      `${address} does not let this user run ${listOf(reports)}: latches, or reports (inspect, list), will fail. ` +
        `Allow it (ACL: ${rightsFor(reports)}).`,
    );
  return words;
}

/** An error of the first script, with what to add to the ACL where the server says what is missing. */
function withRemedy(error: unknown, prefix: string): unknown {
  if (!(error instanceof LockStoreError) || !isDenied(error.message)) return error;
  const [, command] = /run the '([\w|]+)' command/.exec(error.message) ?? [];
  const right = command ? `+${command}` : /\bkeys?\b/.test(error.message) ? `~${prefix}*` : undefined;
  if (right === undefined) return error;
  const { cause, refused } = error;
  return new LockStoreError(`${error.message}. Allow it (ACL: ${right}).`, undefined, { cause, refused });
}

/** Whether a server refuses a command because of who asks, or does not know it at all. */
function isDenied(words: string): boolean {
  return codeOf(new Error(words)) === 'NOPERM' || /unknown (redis )?command/i.test(words);
}

function failureOf(promise: Promise<unknown>): Promise<Error | undefined> {
  return promise.then(
    () => undefined,
    (error: Error) => error,
  );
}

/** What of its own description concerns locks. Valkey calls itself Redis 7.2.4 for the sake of old clients. */
function whatItIs(
  info: string,
): Partial<Pick<StoreFindings, 'server' | 'version' | 'role' | 'maxmemoryPolicy'>> {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];
  const server = field('server_name') ?? 'redis';
  const version = field(`${server}_version`) ?? field('redis_version');
  return withoutUndefined({
    server: version && server,
    version,
    role: field('role'),
    maxmemoryPolicy: field('maxmemory_policy'),
  });
}

/** Commands as people call them: `GET, SET and DEL`. */
function listOf(commands: readonly string[]): string {
  const names = commands.map((command) => command.toUpperCase());
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** What to add to the rules of the user. */
function rightsFor(commands: readonly string[]): string {
  return commands.map((command) => `+${command}`).join(' ');
}

/** The name of the lock that is tried. */
export function probeName(id: string): string {
  return `probe:${id}`;
}

/** What was found out about several servers, each of which has a part of the names. */
export function together(
  servers: { readonly address: string; readonly warnings: readonly string[] },
  each: readonly (StoreFindings | undefined)[],
): StoreFindings {
  const found = each.filter((one) => one !== undefined);
  const worst = found.find(({ maxmemoryPolicy }) => maxmemoryPolicy !== 'noeviction');
  return {
    ...(worst ?? found[0]),
    address: servers.address,
    publish: found.every(({ publish }) => publish),
    ...withoutUndefined({
      roundTrip: largest(found.map(({ roundTrip }) => roundTrip)),
      clockOffset: largest(found.map(({ clockOffset }) => clockOffset)),
    }),
    warnings: [...new Set([...found.flatMap(({ warnings }) => warnings), ...servers.warnings])],
  };
}

/** The one that is farthest from zero. */
function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.sort((a, b) => Math.abs(b) - Math.abs(a))[0];
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

function isLocal(address: string): boolean {
  return /^(unix:|rediss?:\/\/(localhost|127\.|\[?::1\]?))/.test(address);
}

function withoutUndefined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
