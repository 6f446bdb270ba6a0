import { shown } from '../../base/duration.js';
import { LockUsageError } from '../../base/errors.js';

/**
 * A client of ioredis 5 or 6. It serves as a template: it is duplicated with our own settings, and never written to or
 * closed. The type is structural, so that a client of another copy of ioredis is accepted.
 *
 * @publicApi
 */
export interface ClientLike {
  duplicate(...args: never[]): unknown;
  readonly options: object;
  readonly status: string;
}

const GIVE = 'Give a URL, the options of ioredis, { cluster: [nodes] }, or a client of ioredis 5 or 6.';

// What other clients and configurations call it.
const MEANT: Readonly<Record<string, string>> = {
  hostname: 'host',
  url: "the URL itself, as in redis: 'redis://…'",
  uri: "the URL itself, as in redis: 'redis://…'",
  user: 'username',
  pass: 'password',
  database: 'db',
  ssl: 'tls: {}',
  prefix: 'keyPrefix',
  socket: '{ host, port }, since socket is an option of node-redis',
  addresses: '{ host, port }, since addresses is an option of GLIDE',
  token: 'the redis:// URL of the database, since locks need more than its REST API',
};

/** Why something leads to no Redis, with what to give instead; undefined when it may lead to one. */
export function refusalOf(source: unknown): string | undefined {
  if (typeof source === 'string') return undefined;
  if (typeof source === 'function')
    return `The option redis was the class or function '${source.name}' itself. ${GIVE}`;
  if (Array.isArray(source))
    return (
      'The option redis takes a URL, the options of ioredis, or a client of ioredis; it was an array. For one server ' +
      "write { host, port }, for a cluster { cluster: [{ host, port }, …] }; for independent masters { quorum: ['redis://…', …] } is not a part of this version."
    );
  if (typeof source !== 'object' || source === null)
    return (
      'The option redis takes a URL, the options of ioredis, or a client of ioredis; ' +
      `it was ${shown(source)}.${source === null ? ' Is a variable of the environment missing?' : ''}`
    );
  const given = source as Record<string, unknown>;
  if (typeof given['then'] === 'function') return `The option redis was a promise: await it first. ${GIVE}`;
  if (isClient(source)) return undefined;
  const looks = looksLike(given);
  if (looks !== undefined) return `The option redis was ${looks}, which is no client of ioredis. ${GIVE}`;
  return given['quorum'] === undefined
    ? undefined
    : 'The option redis takes one server, by itself or behind Sentinel, or a cluster: quorums are not a part of this version.';
}

/** Whether it has the shape of a client of ioredis. */
export function isClient(source: unknown): source is ClientLike {
  const client = source as Partial<ClientLike> | null;
  return (
    typeof client === 'object' &&
    client !== null &&
    typeof client.duplicate === 'function' &&
    typeof client.status === 'string' &&
    typeof client.options === 'object'
  );
}

/** @throws LockUsageError for keys that ioredis does not know: it would leave them out without a word */
export function checkOptionKeys(options: object): void {
  // A connector of the user's own may have options of its own.
  if ('Connector' in options && options.Connector !== undefined) return;
  const unknown = Object.entries(options)
    .filter(([key, value]) => value !== undefined && kindOfOption(key) === undefined)
    .map(([key]) => key);
  if (unknown.length === 0) return;
  const meant = unknown.flatMap((key) => (MEANT[key] ? [`instead of ${key} write ${MEANT[key]}`] : []));
  throw new LockUsageError(
    `The option redis has ${unknown.length === 1 ? 'a key' : 'keys'} that ioredis does not know: ${unknown.join(', ')}. ` +
      (meant.length > 0
        ? `${capitalised(meant.join('; '))}.`
        : 'Write it as ioredis does, or leave it out. ' + GIVE),
  );
}

/** What an object that is no plain object of options looks like. */
function looksLike(source: Record<string, unknown>): string | undefined {
  const name = (Object.getPrototypeOf(source) as { constructor?: { name?: string } } | null)?.constructor
    ?.name;
  const has = (...methods: string[]): boolean =>
    methods.every((method) => typeof source[method] === 'function');
  if (has('sendCommand', 'execute') && 'totalClients' in source) return 'a pool of clients of node-redis';
  if (has('sendCommand') && 'isOpen' in source) return 'a client of node-redis';
  if (/^RedisMock/.test(name ?? '')) return "a client of ioredis-mock (in tests write redis: 'memory')";
  if (/^Glide/.test(name ?? '') || has('customCommand', 'invokeScript')) return 'a client of GLIDE';
  if (has('pipeline', 'createScript')) return 'a client of @upstash/redis';
  return isPlain(source) ? undefined : `an object of the class '${name ?? ''}'`;
}

/** Whether all that there is of it are its own values: what a prototype gives is lost when options are copied. */
function isPlain(source: object): boolean {
  for (let each = Object.getPrototypeOf(source) as object | null; each;) {
    const above = Object.getPrototypeOf(each) as object | null;
    // Also the Object of another realm, as in a test runner.
    if (above !== null && Object.getOwnPropertyNames(each).some((key) => key !== 'constructor')) return false;
    each = above;
  }
  return true;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** How the value of an option is written in the query of a URL; values of `other` cannot be written there. */
export type OptionKind = 'number' | 'boolean' | 'text' | 'tls' | 'other';

const NUMBERS =
  'port family db keepAlive connectTimeout disconnectTimeout commandTimeout socketTimeout blockingTimeout ' +
  'blockingTimeoutGrace maxRetriesPerRequest maxLoadingRetryTime sentinelMaxConnections sentinelCommandTimeout protocol';
const BOOLEANS =
  'noDelay disableClientInfo autoResubscribe autoResendUnfulfilledCommands readOnly stringNumbers monitor ' +
  'enableAutoPipelining offlineQueue commandQueue enableOfflineQueue enableReadyCheck lazyConnect ' +
  'showFriendlyErrorStack enableTLSForSentinelMode updateSentinels failoverDetector dropBufferSupport';
const TEXTS =
  'host path username password keyPrefix connectionName clientInfoTag name role sentinelUsername sentinelPassword ' +
  'replyMapping';
const OTHERS =
  'Connector retryStrategy reconnectOnError autoPipeliningIgnoredCommands scripts himportFieldsets sentinels ' +
  'sentinelRetryStrategy sentinelReconnectStrategy preferredSlaves sentinelTLS natMap';

/** The options that ioredis 5 and 6 know for one server, with or without Sentinel. */
const KINDS: ReadonlyMap<string, OptionKind> = new Map<string, OptionKind>([
  ...NUMBERS.split(' ').map((key) => [key, 'number'] as const),
  ...BOOLEANS.split(' ').map((key) => [key, 'boolean'] as const),
  ...TEXTS.split(' ').map((key) => [key, 'text'] as const),
  ...OTHERS.split(' ').map((key) => [key, 'other'] as const),
  ['tls', 'tls'],
]);

/** Undefined for a key that ioredis does not know. */
export function kindOfOption(key: string): OptionKind | undefined {
  return KINDS.get(key);
}
