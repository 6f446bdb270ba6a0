import { randomUUID } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import { type Contender, TTL } from './contender.js';
import { nodesAt } from './node-addresses.js';

/** Deletes the key if it still holds the value. */
export const COMPARE_AND_DELETE =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/** The least that a lock in Redis takes: SET NX PX, and a script that compares and deletes. */
export class Floor implements Contender {
  private constructor(
    private readonly client: Redis | Cluster,
    private readonly digest: string,
  ) {}

  static async open(url: string, settings: { enableAutoPipelining?: boolean } = {}): Promise<Floor> {
    const nodes = nodesAt(url);
    if (!nodes) {
      const client = new Redis(url, settings);
      return new Floor(client, (await client.script('LOAD', COMPARE_AND_DELETE)) as string);
    }
    const cluster = new Cluster(nodes, settings);
    await new Promise((resolve, reject) => cluster.once('ready', resolve).once('error', reject));
    const loaded = cluster.nodes('master').map((node) => node.script('LOAD', COMPARE_AND_DELETE));
    const [digest] = (await Promise.all(loaded)) as string[];
    return new Floor(cluster, digest as string);
  }

  async using(name: string, work: () => Promise<void>): Promise<void> {
    const release = await this.acquire(name);
    await work();
    await release();
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const value = randomUUID();
    const key = `floor:${name}`;
    if ((await this.client.set(key, value, 'PX', TTL, 'NX')) !== 'OK') throw new Error('It is taken.');
    return () => this.client.evalsha(this.digest, 1, key, value);
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}
