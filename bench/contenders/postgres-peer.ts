import pg from 'pg';
import type { Contender } from './contender.js';

/** Each caller who holds or waits has one; who finds none waits in this process. */
const CONNECTIONS = 32;

/** Advisory locks of PostgreSQL, of the session: there is no lease, the lock ends with the connection. */
export class PostgresPeer implements Contender {
  private readonly pool: pg.Pool;

  private constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  }

  static async open(url: string): Promise<PostgresPeer> {
    const peer = new PostgresPeer(url);
    await peer.pool.query('SELECT 1');
    return peer;
  }

  static openAtOnce(url: string): PostgresPeer {
    return new PostgresPeer(url);
  }

  async using(name: string, work: () => Promise<void>): Promise<void> {
    const release = await this.acquire(name);
    try {
      await work();
    } finally {
      await release();
    }
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const client = await this.pool.connect();
    const lock = { name: 'lock', text: 'SELECT pg_advisory_lock(hashtextextended($1, 0))', values: [name] };
    await client.query(lock);
    return async () => {
      await client.query({ ...lock, name: 'unlock', text: lock.text.replace('_lock(', '_unlock(') });
      client.release();
    };
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
