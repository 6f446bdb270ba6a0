import { SystemClock, type Clock } from '../../lib/base/clock.js';
import { LockService } from '../../lib/locks/lock-service.js';
import { LockSettings } from '../../lib/locks/lock-settings.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import { openStore } from '../../lib/locks/create-lock-service.js';
import type { LockState } from '../../lib/store/lock-machine.js';
import { ClientRecipe } from '../../lib/store/redis/client-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { Redis } from 'ioredis';
import { ended } from './ended.js';
import { pass, until } from './eventually.js';
import { Lag } from './lag.js';
import { TcpProxy } from './tcp-proxy.js';

/** A Redis server of its own, which tests may freeze, flush and replace, and all that they open at it. */
export class Arena {
  server!: RunningRedis;
  admin!: Redis;
  lag!: Lag;
  /** What the services warned of. */
  readonly warnings: string[] = [];
  private observer!: RedisStore;
  private services: LockService[] = [];
  private proxies: TcpProxy[] = [];
  private frozen = false;

  async start(): Promise<void> {
    this.server = await startRedis({ given: false });
    this.admin = new Redis(this.server.url);
    const settings = { namespace: 'lock', fenceMemory: 60_000, process: 'test:1', clock: new SystemClock() };
    this.observer = new RedisStore(new ClientRecipe(this.server.url), settings);
  }

  begin(): void {
    this.lag = new Lag();
    this.warnings.length = 0;
  }

  /** A service; at the server itself unless the options say otherwise. */
  open(options: LockServiceOptions = {}, clock: Clock = new SystemClock()): LockService {
    const all = { redis: this.server.url, shutdownGrace: 0, ...options };
    const settings = new LockSettings(all);
    const log = { warn: (message: string) => void this.warnings.push(message) };
    const locks = LockService.over(openStore(all, settings, clock, log), settings, clock, log);
    this.services.push(locks);
    return locks;
  }

  /** A service behind a proxy, connected and with every script known to the server. */
  async openBehindProxy(options: LockServiceOptions = {}): Promise<{ locks: LockService; proxy: TcpProxy }> {
    const proxy = await this.proxy();
    // A command has a third of the ttl: what is not answered is settled soon.
    const locks = this.open({ redis: proxy.url, ttl: 900, ...options });
    const lease = await locks.acquire('warm-up');
    await lease.renew();
    await lease.release();
    return { locks, proxy };
  }

  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(portOf(this.server));
    this.proxies.push(proxy);
    return proxy;
  }

  /** Stops the server; what is sent to it after this is not read before it goes on. */
  async freeze(): Promise<void> {
    process.kill(this.server.pid as number, 'SIGSTOP');
    this.frozen = true;
    await pass(5); // the signal is on its way to another processor
  }

  thaw(): void {
    if (this.frozen) process.kill(this.server.pid as number, 'SIGCONT');
    this.frozen = false;
  }

  /** Resolves when so many processes wait for `name`. */
  async queued(name: string, length = 1): Promise<void> {
    await until(
      `${length} in the queue of '${name}'`,
      async () => (await this.state(name)).queue.length === length,
    );
  }

  /** Resolves when `count` sessions listen for notices. */
  async listening(count: number): Promise<void> {
    await until(`${count} sessions listen`, async () => {
      return ((await this.admin.pubsub('CHANNELS', '*session:*')) as string[]).length >= count;
    });
  }

  /** What the server has of `name`. */
  async state(name: string): Promise<LockState> {
    return (await this.observer.read(name, 2_000)).state;
  }

  /** Closes what the test opened; then nobody holds and nobody waits at the server. */
  async end(): Promise<void> {
    this.lag[Symbol.dispose]();
    this.thaw();
    await Promise.all(this.services.splice(0).map((locks) => locks.close()));
    for (const proxy of this.proxies.splice(0)) {
      proxy.pass();
      await until('the services have closed their connections', () => proxy.open === 0);
      await proxy.close();
    }
    await until('nothing is left', async () => (await this.leftovers()).length === 0).catch(async () => {
      throw new Error(`Left at the server: ${(await this.leftovers()).join(', ')}`);
    });
    await this.admin.flushall();
  }

  async stop(): Promise<void> {
    await this.observer.close();
    await ended(this.admin);
    await this.server.stop();
  }

  /** The names with a holder or a waiter; what tests put there themselves is none. */
  private async leftovers(): Promise<string[]> {
    const left: string[] = [];
    for (const key of await this.admin.keys('lock:*')) {
      const read = await this.observer.read(key.slice('lock:'.length), 2_000).catch(() => undefined);
      if (read?.state.queue.length || read?.state.holders.some(({ deadline }) => deadline > read.now))
        left.push(key);
    }
    return left;
  }
}

export function portOf({ url }: RunningRedis): number {
  return Number(new URL(url).port);
}

/** An arena for the tests of one `describe`. */
export function arenaForTests(): Arena {
  const arena = new Arena();
  beforeAll(() => arena.start());
  beforeEach(() => arena.begin());
  afterEach(() => arena.end(), 15_000);
  afterAll(() => arena.stop());
  return arena;
}
