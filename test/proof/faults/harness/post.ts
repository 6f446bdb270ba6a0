import { Redis } from 'ioredis';
import type { Parcel } from './book.js';

const KEY = 'post';

/** A queue between processes, at a server to which nothing is done: it delivers what it has once. */
export class Post {
  private readonly client: Redis;

  constructor(url: string) {
    this.client = new Redis(url, { lazyConnect: true });
    this.client.on('error', () => undefined);
  }

  async send(parcel: Parcel): Promise<void> {
    await this.client.rpush(KEY, JSON.stringify(parcel));
  }

  async take(): Promise<Parcel | undefined> {
    const text = await this.client.lpop(KEY);
    return text === null ? undefined : (JSON.parse(text) as Parcel);
  }

  close(): void {
    this.client.disconnect();
  }
}
