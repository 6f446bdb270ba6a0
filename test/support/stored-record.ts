import type { Redis } from 'ioredis';
import type { StoredRecord } from '../../lib/store/redis/state-codec.js';

/** The record under a key as it is stored, whichever its form; no fields when there is none. */
export async function storedRecord(client: Redis, key: string): Promise<StoredRecord> {
  if ((await client.type(key)) === 'string') return (await client.get(key)) ?? {};
  return client.hgetall(key);
}
