import type { Redis } from 'ioredis';
import type { LockStore } from '../lock-store.js';
import type { StoreFindings } from '../store-findings.js';

const OLDEST = [6, 2] as const;

/** Where the store keeps its locks. */
interface Place {
  readonly namespace: string;
  /** What the keys begin with. */
  readonly prefix: string;
  /** Of the attempt that is made, and of its name. */
  readonly id: string;
  /** How long each step may take, in milliseconds. */
  readonly timeout: number;
}

/**
 * Asks the server what it is, and tries what locks need by doing it on a temporary key. What may not be asked stays
 * unknown; scripts that may not run are an error, since no lock can be had.
 */
export async function probe(
  client: Pick<Redis, 'info' | 'publish' | 'del'>,
  store: Pick<LockStore, 'address' | 'session' | 'execute'>,
  place: Place,
): Promise<StoreFindings> {
  const { id } = place;
  const name = probeName(id);
  const [share, times] = [
    { units: 1, capacity: 1 },
    { ttl: 1_000_000, guard: 0, block: 1, wait: 0, seal: 'probe' },
  ];
  const acquire = { kind: 'acquire', id, ...share, ...times, subscribed: false, who: 'probe' } as const;
  await store.execute(name, acquire, place.timeout);
  await store.execute(name, { kind: 'release', id, used: 0, keep: 0, done: 0 }, place.timeout);
  const [info, publish] = await Promise.all([
    client.info().catch(() => ''),
    client.publish(`${place.namespace}:session:${store.session}`, '').then(
      () => true,
      () => false,
    ),
    client.del(place.prefix + name),
  ]);
  const field = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];
  const known = {
    version: field('redis_version'),
    role: field('role'),
    maxmemoryPolicy: field('maxmemory_policy'),
  };
  const warnings = [
    info === '' &&
      `${store.address} does not answer INFO: its version, its role and whether it may evict locks are not known, and a ` +
        'lock that is handed to another process costs one more round trip. Allow INFO, if you can.',
    known.role === 'slave' && `${store.address} is a replica: connect to the master, or name its sentinels.`,
    known.version !== undefined &&
      isOlder(known.version) &&
      `${store.address} runs Redis ${known.version}; locks are tested from ${OLDEST.join('.')} on: update the server.`,
    known.maxmemoryPolicy !== undefined &&
      known.maxmemoryPolicy !== 'noeviction' &&
      `${store.address} may evict locks when its memory is full (maxmemory-policy ${known.maxmemoryPolicy}): ` +
        "set it to 'noeviction', or keep locks on a server of their own.",
    !publish &&
      `${store.address} does not let us PUBLISH to ${place.namespace}:session:*, so waiters ask ten times a second ` +
        `instead of being told: allow it (ACL: &${place.namespace}:session:* +publish +subscribe).`,
    process.env['NODE_ENV'] === 'production' &&
      place.namespace === 'lock' &&
      !isLocal(store.address) &&
      `Locks on ${store.address} use the default namespace 'lock': applications that share this server share their ` +
        'lock names. Set the option namespace.',
  ].filter((warning) => warning !== false);
  return { address: store.address, ...withoutUndefined(known), publish, warnings };
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
    warnings: [...new Set([...found.flatMap(({ warnings }) => warnings), ...servers.warnings])],
  };
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
