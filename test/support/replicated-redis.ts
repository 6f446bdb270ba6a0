import { Redis } from 'ioredis';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { until } from './eventually.js';
import { TcpProxy } from './tcp-proxy.js';

const PATIENCE = 20_000;

/** A replica, and the link over which it copies the master. */
export interface Replica {
  readonly server: RunningRedis;
  readonly admin: Redis;
  readonly link: TcpProxy;
}

/** A master and its replicas; what a test does to them is undone by `settle`. */
export class ReplicatedRedis {
  readonly replicas: Replica[] = [];
  private frozen: Replica[] = [];

  private constructor(
    readonly master: RunningRedis,
    readonly admin: Redis,
  ) {}

  static async start(replicas = 2): Promise<ReplicatedRedis> {
    // A replica that comes is served at once, not five seconds later with others.
    const master = await startRedis({ given: false, args: ['--repl-diskless-sync-delay', '0'] });
    const servers = new ReplicatedRedis(master, new Redis(master.url));
    for (let count = 0; count < replicas; count += 1) await servers.add();
    await servers.settle();
    return servers;
  }

  /** Stops a replica where it is. */
  freeze(replica: Replica): void {
    process.kill(replica.server.pid as number, 'SIGSTOP');
    this.frozen.push(replica);
  }

  thaw(): void {
    for (const { server } of this.frozen.splice(0)) process.kill(server.pid as number, 'SIGCONT');
  }

  /** Nothing goes over the link any more, and neither side is told. */
  cut({ link }: Replica): void {
    link.blackHole();
  }

  /** Makes it a master with what it has. */
  async promote({ admin }: Replica): Promise<void> {
    await admin.replicaof('NO', 'ONE');
  }

  /** One more replica. */
  async add(): Promise<void> {
    const link = await TcpProxy.start(portOf(this.master));
    const server = await startRedis({ given: false, args: ['--replicaof', '127.0.0.1', String(link.port)] });
    this.replicas.push({ server, admin: new Redis(server.url), link });
  }

  /** Takes a replica away by force. */
  async kill(replica: Replica): Promise<void> {
    this.replicas.splice(this.replicas.indexOf(replica), 1);
    replica.admin.disconnect();
    await replica.server.stop();
    replica.link.pass();
    await until('the link is closed at both ends', () => replica.link.open === 0);
    await replica.link.close();
  }

  /** Resolves when all replicas copy an empty master. */
  async settle(): Promise<void> {
    this.thaw();
    for (const { link, admin } of this.replicas) {
      link.pass();
      if (/role:master/.test(await admin.info('replication'))) {
        await until('its old link is closed at both ends', () => link.open === 0);
        await admin.replicaof('127.0.0.1', link.port);
      }
    }
    await this.admin.flushall();
    await until('all replicas have what the master has', () => this.inStep(), PATIENCE, 10);
    await this.admin.wait(this.replicas.length, PATIENCE);
  }

  async stop(): Promise<void> {
    this.thaw();
    for (const replica of [...this.replicas]) await this.kill(replica);
    this.admin.disconnect();
    await this.master.stop();
  }

  private async inStep(): Promise<boolean> {
    const info = await this.admin.info('replication');
    const offset = /master_repl_offset:(\d+)/.exec(info)?.[1];
    const copies = [...info.matchAll(/^slave\d+:.*state=online,offset=(\d+)/gm)];
    return (
      copies.length === this.replicas.length &&
      (await Promise.all(this.replicas.map(({ admin }) => admin.info('replication')))).every(
        (each) => /master_link_status:up/.test(each) && /slave_repl_offset:(\d+)/.exec(each)?.[1] === offset,
      )
    );
  }
}

export function portOf({ url }: RunningRedis): number {
  return Number(new URL(url).port);
}
