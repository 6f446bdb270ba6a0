import { Redis } from 'ioredis';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import type { BenchOptions } from '../options.js';
import { DelayingProxy } from './delaying-proxy.js';
import { Troupe } from './troupe.js';

/** What scenarios have at hand: a server of their own, the way to it, and processes. */
export class Stage {
  private proxies: DelayingProxy[] = [];
  private troupe: Troupe | undefined;

  private constructor(
    readonly options: BenchOptions,
    private readonly server: RunningRedis,
    /** Straight to the server, whatever the clients go through. */
    readonly admin: Redis,
  ) {}

  /** Where clients connect: through the proxy when a round-trip time was asked for. */
  url = '';

  static async open(options: BenchOptions): Promise<Stage> {
    const server = await startRedis({ given: false, emulated: false });
    const stage = new Stage(options, server, new Redis(server.url));
    stage.url = options.rtt > 0 ? await stage.distant(options.rtt) : server.url;
    return stage;
  }

  get quick(): boolean {
    return this.options.quick;
  }

  /** The server behind a line that takes `ms` for a round trip. */
  async distant(ms: number): Promise<string> {
    const proxy = await DelayingProxy.start(this.server.url, ms);
    this.proxies.push(proxy);
    return proxy.url;
  }

  /** Processes that are told what to measure; the same four for the whole run. */
  async workers(): Promise<Troupe> {
    return (this.troupe ??= await Troupe.start(4));
  }

  /** Seconds of processor time that the server has used so far. */
  async serverCpu(): Promise<number> {
    const info = await this.admin.info('cpu');
    const used = (name: string) => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]);
    return used('used_cpu_user') + used('used_cpu_sys');
  }

  async serverVersion(): Promise<string> {
    return /^redis_version:(\S+)/m.exec(await this.admin.info('server'))?.[1] ?? '';
  }

  /** How often clients sent one of `commands` so far. */
  async calls(commands: readonly string[]): Promise<number> {
    const stats = await this.admin.info('commandstats');
    let sum = 0;
    for (const [, name, count] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
      if (commands.includes(name ?? '')) sum += Number(count);
    return sum;
  }

  async close(): Promise<void> {
    await this.troupe?.close();
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    this.admin.disconnect();
    await this.server.stop();
  }
}
