import type { Redis } from 'ioredis';
import { until } from './eventually.js';

/** Ends a connection of a test. Resolves when it has ended, also when it was lost just then and is about to be made anew. */
export async function ended(client: Redis): Promise<void> {
  client.on('reconnecting', () => client.disconnect());
  client.disconnect();
  await until('the connection has ended', () => client.status === 'end' || client.status === 'reconnecting');
}
