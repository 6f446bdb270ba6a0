import { LockStoreError } from '../../base/errors.js';
import type { LockReading } from '../lock-store.js';
import type { RedisConnection } from './redis-connection.js';
import type { RedisServers } from './redis-servers.js';
import { decodeState, isRecord, recordIn } from './state-codec.js';

// One SCAN blocks the server for as long as it looks at so many keys of whomever: some hundred microseconds.
const KEYS_A_STEP = 1_000;
// Records that are read side by side: with more of them, a long list takes twice the memory and hardly less time.
const READ_AT_ONCE = 100;

/** Reads the records of a namespace; changes none. */
export class RecordReader {
  constructor(
    private readonly servers: RedisServers,
    /** What the keys begin with. */
    private readonly prefix: string,
  ) {}

  async read(name: string, timeout: number): Promise<LockReading> {
    const reading = await this.find(name, timeout);
    if (reading) return reading;
    throw new LockStoreError(
      `The key '${this.prefix + name}' of the lock '${name}' at ${this.servers.address} holds a latch, a foreign value, or a record ` +
        'of a newer version of this library.',
      name,
      { refused: true, foreign: true },
    );
  }

  /** By SCAN, so a name may come twice. What is foreign, or newer than this version, is left out. */
  async *list(timeout: number): AsyncGenerator<readonly LockReading[]> {
    const { servers } = this;
    // A name that goes to a server which was looked through before is missed there: then once more. Not again and again:
    // while slots go from node to node for hours, there would be no end.
    for (let [walks, before] = [0, -1]; walks < 2 && before !== servers.changes; walks += 1) {
      before = servers.changes;
      for (const connection of await servers.all(timeout)) yield* this.listAt(connection, timeout);
    }
  }

  private async *listAt(
    connection: RedisConnection,
    timeout: number,
  ): AsyncGenerator<readonly LockReading[]> {
    const pattern = this.prefix.replace(/[*?[\]\\]/g, '\\$&') + '*';
    let cursor = '0';
    do {
      await connection.ready(timeout);
      const step = cursor;
      const [next, keys] = await connection.command(
        'scan',
        timeout,
        (client) => client.scan(step, 'MATCH', pattern, 'COUNT', KEYS_A_STEP),
        true,
      );
      cursor = next;
      for (let from = 0; from < keys.length; from += READ_AT_ONCE) {
        const some = keys.slice(from, from + READ_AT_ONCE);
        const found = some.map((key) => this.find(key.slice(this.prefix.length), timeout));
        yield (await Promise.all(found)).filter((reading) => reading !== undefined);
      }
    } while (cursor !== '0');
  }

  /** Undefined for a value that is no record of this version. */
  private async find(name: string, timeout: number): Promise<LockReading | undefined> {
    const key = this.prefix + name;
    const connection = await this.servers.ready(name, timeout);
    const reply = await connection.alone('inspect', key, [], timeout);
    const [now, ...flat] = reply as [number, ...string[]];
    const record = recordIn(flat);
    if (flat.length > 0 && !isRecord(record)) return undefined;
    return { name, key, state: decodeState(record), now };
  }
}
