import type { Redis } from 'ioredis';
import type { StoredRecord } from '../../lib/store/redis/state-codec.js';
import { isAtLeast } from './server-version.js';

/** The record under a key as it is stored, whichever its form; no fields when there is none. */
export async function storedRecord(client: Redis, key: string): Promise<StoredRecord> {
  if ((await client.type(key)) === 'string') return (await client.get(key)) ?? {};
  return client.hgetall(key);
}

// PEXPIRETIME needs Redis 7.0; what PTTL says is no more exact than the load of the machine.
const SAYS_EXPIRY = isAtLeast(7);

/** When a key expires, in milliseconds of the server's clock; undefined on a server that does not say it. */
export async function storedExpiry(client: Redis, key: string): Promise<number | undefined> {
  return SAYS_EXPIRY ? client.pexpiretime(key) : undefined;
}
