import { Redis } from 'ioredis';
import { KeySlots } from '../../lib/store/redis/key-slots.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { until } from './eventually.js';

const SLOTS = 16_384;
const NODE_TIMEOUT = 1_000;

/** One server of the cluster. */
export interface ClusterServer {
  readonly server: RunningRedis;
  readonly port: number;
  readonly admin: Redis;
  readonly id: string;
}

/** A real cluster on this machine, of so many masters with so many replicas each. */
export class RedisClusterServers {
  masters: ClusterServer[] = [];
  replicas: ClusterServer[] = [];
  private readonly frozen = new Set<ClusterServer>();

  constructor(
    private readonly shards = 3,
    private readonly replicasEach = 0,
    private readonly args: readonly string[] = [],
    private readonly password?: string,
  ) {}

  async start(): Promise<void> {
    const count = this.shards * (1 + this.replicasEach);
    const all = await Promise.all(Array.from({ length: count }, () => this.startServer()));
    this.masters = all.slice(0, this.shards);
    this.replicas = all.slice(this.shards);
    const [first] = all as [ClusterServer];
    for (const [index, { admin }] of this.masters.entries()) {
      const from = Math.floor((SLOTS * index) / this.shards);
      const to = Math.floor((SLOTS * (index + 1)) / this.shards) - 1;
      await admin.cluster('ADDSLOTS', ...Array.from({ length: to - from + 1 }, (_, slot) => from + slot));
      await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const { port } of all.slice(1)) await first.admin.cluster('MEET', '127.0.0.1', port);
    await this.agreed(all);
    for (const [index, { admin }] of this.replicas.entries())
      await admin.cluster('REPLICATE', (this.masters[index % this.shards] as ClusterServer).id);
    for (const { admin } of this.replicas)
      await until('the replica follows', async () =>
        /master_link_status:up/.test(await admin.info('replication')),
      );
    await this.agreed(all);
  }

  /** One more master without slots. */
  async join(): Promise<ClusterServer> {
    const one = await this.startServer();
    await (this.masters[0] as ClusterServer).admin.cluster('MEET', '127.0.0.1', one.port);
    this.masters.push(one);
    await this.agreed([...this.masters, ...this.replicas]);
    return one;
  }

  /** The addresses as the option `cluster` takes them. */
  get nodes(): { host: string; port: number }[] {
    return this.masters.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  slotOf(name: string, namespace: string): number {
    return new KeySlots(`${namespace}:`).of(name);
  }

  /** The master that has the slot by what the first server says. */
  async ownerOf(slot: number): Promise<ClusterServer> {
    const [{ admin }] = this.masters as [ClusterServer];
    const slots = await slotsOf(admin);
    const port = slots.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
    return [...this.masters, ...this.replicas].find((one) => one.port === port) as ClusterServer;
  }

  /** A name like `base` whose key is on that server; rejects when it has no slots. */
  async nameAt(one: ClusterServer, base: string, namespace: string): Promise<string> {
    const slots = await slotsOf(one.admin);
    const ours = slots.filter(([, , [, port]]) => port === one.port);
    if (ours.length === 0) throw new Error(`The server at port ${one.port} has no slots.`);
    for (let index = 0; ; index += 1) {
      const slot = this.slotOf(`${base}-${index}`, namespace);
      if (ours.some(([from, to]) => from <= slot && slot <= to)) return `${base}-${index}`;
    }
  }

  /** Begins to move a slot: keys that are there stay until they are moved one by one. */
  async beginMove(slot: number, from: ClusterServer, to: ClusterServer): Promise<void> {
    await to.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id);
    await from.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id);
  }

  /** Moves the keys of a slot that are there now. */
  async moveKeys(slot: number, from: ClusterServer, to: ClusterServer): Promise<void> {
    for (;;) {
      const keys = await from.admin.cluster('GETKEYSINSLOT', slot, 100);
      if (keys.length === 0) return;
      await from.admin.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
    }
  }

  /** Says everywhere that the slot has moved; keys that came meanwhile are moved before. */
  async endMove(slot: number, from: ClusterServer, to: ClusterServer): Promise<void> {
    await this.moveKeys(slot, from, to);
    for (const { admin } of [to, from, ...this.masters.filter((one) => one !== to && one !== from)])
      await admin.cluster('SETSLOT', slot, 'NODE', to.id);
  }

  /** A planned failover: the replica takes the place of its master. A server gives such a failover up after five seconds. */
  async failover(replica: ClusterServer): Promise<void> {
    const isMaster = async (): Promise<boolean> =>
      /role:master/.test(await replica.admin.info('replication'));
    let askedAt = -Infinity;
    await until(
      'the replica is the master',
      async () => {
        if (await isMaster()) return true;
        if (performance.now() - askedAt < 5_500) return false;
        askedAt = performance.now();
        await replica.admin.cluster('FAILOVER').catch(() => undefined); // refused while its link to the master is down
        return false;
      },
      20_000,
    );
  }

  freeze(one: ClusterServer): void {
    process.kill(one.server.pid as number, 'SIGSTOP');
    this.frozen.add(one);
  }

  thaw(): void {
    for (const { server } of this.frozen) process.kill(server.pid as number, 'SIGCONT');
    this.frozen.clear();
  }

  async kill(one: ClusterServer): Promise<void> {
    one.admin.disconnect();
    await one.server.stop();
  }

  async stop(): Promise<void> {
    this.thaw();
    for (const { admin, server } of [...this.masters, ...this.replicas]) {
      admin.disconnect();
      await server.stop();
    }
  }

  private async startServer(): Promise<ClusterServer> {
    const mode = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT)];
    const server = await startRedis({ given: false, emulated: false, args: [...mode, ...this.args] });
    const port = Number(new URL(server.url).port);
    const admin = new Redis({ port, ...(this.password && { password: this.password }) });
    admin.on('error', () => undefined);
    return { server, port, admin, id: await admin.cluster('MYID') };
  }

  /** Resolves when all say that the cluster serves, and know each other. */
  private async agreed(all: readonly ClusterServer[]): Promise<void> {
    for (const { admin } of all)
      await until(
        'the cluster serves',
        async () => {
          const info = String(await admin.cluster('INFO'));
          const known = Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1]);
          return /cluster_state:ok/.test(info) && known >= all.length;
        },
        20_000,
      );
  }
}

/** The ranges of slots with their masters. */
async function slotsOf(admin: Redis): Promise<[number, number, [string, number]][]> {
  return (await admin.cluster('SLOTS')) as unknown as [number, number, [string, number]][];
}
