import { Redis } from 'ioredis';
import { monotonic, type HistoryFile } from './history.js';

// Whoever begins shows its fence first: from then on nobody with a smaller one can write.
const BEGIN = `
  local fence = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
  if tonumber(ARGV[1]) < fence then return -1 end
  redis.call('HSET', KEYS[1], 'fence', ARGV[1])
  return tonumber(redis.call('HGET', KEYS[1], 'value') or 0)`;
const WRITE = `
  if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[1], 'value', ARGV[2])
  return 1`;

/** A resource that compares fences: a counter in a Redis of its own, to which nothing is done. */
export class FencedCounter {
  private readonly client: Redis;
  private writes = 0;

  constructor(
    url: string,
    private readonly history: HistoryFile,
    private readonly process: string,
  ) {
    this.client = new Redis(url, { lazyConnect: true });
    this.client.on('error', () => undefined);
  }

  /** What the counter shows; undefined when the fence is stale already. */
  async begin(name: string, fence: number): Promise<number | undefined> {
    const value = Number(await this.client.eval(BEGIN, 1, name, String(fence)));
    return value < 0 ? undefined : value;
  }

  /** Writes without a look at the lock; whether the resource took it. */
  async write(name: string, fence: number, value: number): Promise<boolean> {
    const id = `${this.process}-w${(this.writes += 1)}`;
    this.history.add({ type: 'write', id, name, at: monotonic() });
    const accepted = (await this.client.eval(WRITE, 1, name, String(fence), String(value))) === 1;
    this.history.add({ type: 'written', id, at: monotonic(), accepted });
    return accepted;
  }

  async read(name: string): Promise<number> {
    return Number((await this.client.hget(name, 'value')) ?? 0);
  }

  close(): void {
    this.client.disconnect();
  }
}
