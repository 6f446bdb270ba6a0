import type { Redis } from 'ioredis';

/** The connections that ioredis makes to the sentinels of a client, and whether they keep the process alive. */
interface Sentinels {
  alive: boolean;
  readonly connected: Set<Redis>;
}

const sentinelsOf = new WeakMap<Redis, Sentinels>();

/**
 * Whether the present connection of a client keeps the process alive, or the wait for the next one, and the connections to
 * its sentinels, now and when they are made anew. To be called again at each `connect` and `reconnecting` of the client.
 */
export function keepAlive(client: Redis, on: boolean): void {
  keepSocketAlive(client, on);
  keepTimerAlive(client, on);
  const sentinels = sentinelsOf.get(client);
  if (!sentinels) return;
  sentinels.alive = on;
  for (const sentinel of sentinels.connected) keepSocketAlive(sentinel, on);
}

/** ioredis listens to a sentinel for as long as the client is connected: that keeps the process alive as the client does. */
export function keepAliveWith(client: Redis, sentinel: Redis): void {
  const sentinels = sentinelsOf.get(client) ?? { alive: true, connected: new Set() };
  sentinelsOf.set(client, sentinels);
  sentinel.on('connect', () => {
    sentinels.connected.add(sentinel);
    keepSocketAlive(sentinel, sentinels.alive);
  });
  sentinel.on('close', () => sentinels.connected.delete(sentinel));
  // Until a sentinel that is away answers again there is no socket, but always a timer.
  sentinel.on('reconnecting', () => keepTimerAlive(sentinel, sentinels.alive));
}

/** The timer of the next attempt to connect. */
function keepTimerAlive(client: Redis, on: boolean): void {
  const { reconnectTimeout } = client as unknown as { reconnectTimeout?: NodeJS.Timeout | null };
  if (on) reconnectTimeout?.ref();
  else reconnectTimeout?.unref();
}

function keepSocketAlive({ stream }: Redis, on: boolean): void {
  const socket = stream as Partial<Redis['stream']> | undefined; // there is none before the first connection
  if (on) socket?.ref?.();
  else socket?.unref?.();
}
