import type { Socket } from 'node:net';
import type { Redis, RedisOptions } from 'ioredis';
import { keepAliveWith } from './keep-alive.js';
import { shownSource } from './redis-address.js';
import { isClient } from './redis-source.js';

// Between two questions to the sentinels, when a failover ended the first one.
const PAUSE = 20;

// By default, ioredis stays with a replaced master for as long as that master keeps the connection open, which is nine
// seconds after a planned failover; and it waits for ever for a sentinel that does not answer.
const OURS = {
  failoverDetector: true,
  sentinelCommandTimeout: 500,
  connectTimeout: 2_000, // for the sentinels and for the master that they name
  sentinelReconnectStrategy: (attempt: number) => Math.min(100 * 2 ** Math.min(attempt, 5), 2_000),
} as const satisfies RedisOptions;

// Whether an option of a client has the default value that ioredis puts there.
const THEIRS: Record<keyof typeof OURS, (value: unknown) => boolean> = {
  failoverDetector: (value) => value === false,
  sentinelCommandTimeout: () => false,
  connectTimeout: (value) => value === 10_000,
  sentinelReconnectStrategy: (value) => typeof value === 'function' && value.length === 0, // it says 60 s each time
};

type SentinelSettings = { [K in keyof typeof OURS]: NonNullable<RedisOptions[K]> };

/**
 * Our settings for connections by Sentinel, and none for others. What the user chose is kept. A client carries the
 * defaults of ioredis among its options, and those count as not chosen.
 */
export function sentinelSettings(given: RedisOptions, source: unknown): Partial<SentinelSettings> {
  if (!given.sentinels) return {};
  const settings: Record<string, unknown> = {};
  for (const key of Object.keys(OURS) as (keyof typeof OURS)[]) {
    const chosen = given[key] ?? undefined;
    const byItself = isClient(source) && THEIRS[key](chosen);
    settings[key] = chosen === undefined || byItself ? OURS[key] : chosen;
  }
  return settings;
}

/** Why Sentinel options lead to no master, and what to write instead; undefined when they may lead to one. */
export function refusalOfSentinelOptions({ sentinels, name, role }: RedisOptions): string | undefined {
  const example = "{ sentinels: [{ host: 'sentinel-1', port: 26379 }, …], name: 'mymaster' }";
  if (sentinels === undefined || sentinels === null) return undefined;
  if (!Array.isArray(sentinels) || sentinels.length === 0)
    return `The option redis takes the addresses of the sentinels as sentinels, as in ${example}; it was ${shownSource(sentinels)}.`;
  if (typeof name !== 'string' || name === '')
    return (
      'The option redis has sentinels but no name: they may watch several masters. Add the name that the sentinels give ' +
      `to the master, as in ${example}.`
    );
  return role === 'slave'
    ? "The option redis asks the sentinels for a replica (role: 'slave'): locks need the master. Leave role out."
    : undefined;
}

/**
 * Listens to the errors of the connections over which ioredis hears of failovers; otherwise ioredis would print them. While
 * another sentinel answers, nobody has to know that one does not. It also keeps ioredis from leaving the new master again
 * when the next sentinel tells of the same failover, a second later, or of the failover of another master that the same
 * sentinels watch. A client that waits for its next attempt to connect makes it when it is told of a failover. The
 * connections to the sentinels keep the process alive only while that of the client does.
 */
export function calmSentinels(client: Redis): void {
  type Listener = (...args: unknown[]) => void;
  type Sentinel = { on(event: string, listener: Listener): unknown };
  type Connector = {
    connectToSentinel?: (endpoint: unknown, options?: object) => Sentinel;
    connect(...args: unknown[]): Promise<unknown>;
  };
  const { connector } = client as unknown as { connector?: Connector };
  const connectToSentinel = connector?.connectToSentinel?.bind(connector);
  if (!connector || !connectToSentinel) return;
  // Its own mark of that is gone as soon as the connection is closed.
  let ended = false;
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false) => {
    ended ||= !reconnect;
    disconnect(reconnect);
  };
  // A failover that is told while a sentinel is being asked ends the question, and ioredis the client for ever.
  const connect = connector.connect.bind(connector);
  connector.connect = async (...args) => {
    for (;;)
      try {
        return await connect(...args);
      } catch (error) {
        if (ended || (error as Error).message !== 'Connection is closed.') throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE)); // whatever ends it again and again
      }
  };
  connector.connectToSentinel = (endpoint, options) => {
    // Else the end of a connection that was never made keeps the process alive for two seconds.
    const { disconnectTimeout } = client.options;
    const sentinel = connectToSentinel(endpoint, { disconnectTimeout, ...options });
    keepAliveWith(client, sentinel as Redis);
    const on = sentinel.on.bind(sentinel);
    on('error', () => undefined);
    sentinel.on = (event, listener) =>
      on(
        event,
        event !== 'message'
          ? listener
          : (...said) => {
              if (!leadsElsewhere(client, said[1])) return;
              listener(...said);
              hurry(client);
            },
      );
    return sentinel;
  };
}

/** There is a new master: what kept the client waiting longer each time was the old one. */
function hurry(client: Redis): void {
  (client as unknown as { retryAttempts: number }).retryAttempts = 0;
  if (client.status === 'reconnecting') client.connect().catch(() => undefined); // it tries again
}

/** Whether the master that `+switch-master` names (its name, where it was, where it is) is ours, and we are elsewhere. */
export function leadsElsewhere(
  { options, stream }: Pick<Redis, 'options' | 'stream'>,
  text: unknown,
): boolean {
  const [name, , , host, port] = String(text).split(' ');
  if (name !== options.name) return false;
  const socket = stream as Partial<Socket> | undefined;
  return !(socket?.remoteAddress === host && String(socket?.remotePort) === port);
}
