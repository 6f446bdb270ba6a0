import { until } from '../patience.js';
import { listening, makeCertificates, trusting, type Certificates } from './certificates.js';
import { ServerProcess, type ServerConnection } from './server-process.js';
import { TopologyDirectory } from './topology-directory.js';

const SLOTS = 16_384;
// Keys that one MIGRATE takes along.
const AT_A_TIME = 64;
// Nodes meet sooner with a short one.
const NODE_TIMEOUT = 1_000;
// A server gives up a planned failover after five seconds.
const FAILOVER_ENDS = 5_500;

export interface ClusterSetup {
  /** @default 3 */
  readonly masters?: number;
  /** Of each master. @default 1 */
  readonly replicas?: number;
  /**
   * How long a node may be silent before the others take it for dead, in milliseconds. Longer where nothing is done to
   * nodes, so that a machine that stands still for a second does not end them. @default 1000
   */
  readonly nodeTimeout?: number;
  /** Whether all slots stop when some have no master. @default false */
  readonly fullCoverage?: boolean;
  /** Everything over TLS, by an authority of its own. @default false */
  readonly tls?: boolean;
  /** What clients and replicas have to say. @default none */
  readonly password?: string;
}

/** A node as another one sees it. */
interface Seen {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly masterId: string;
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/** Masters with their replicas in cluster mode, which are stopped by their process ids. */
export class ClusterServers {
  /** First those that began as masters. */
  readonly nodes: ServerProcess[] = [];
  private readonly directory = new TopologyDirectory();
  private readonly ids = new Map<ServerProcess, string>();
  private readonly certificates: Certificates | undefined;
  private readonly masters: number;
  private readonly replicas: number;
  // They do not answer: nothing may wait for them.
  private readonly frozen = new Set<ServerProcess>();

  private constructor(private readonly setup: ClusterSetup) {
    this.masters = setup.masters ?? 3;
    this.replicas = setup.replicas ?? 1;
    if (setup.tls) this.certificates = makeCertificates(this.directory.path);
  }

  static async start(setup: ClusterSetup = {}): Promise<ClusterServers> {
    const topology = new ClusterServers(setup);
    try {
      await topology.boot();
      return topology;
    } catch (error) {
      await topology.stop();
      throw error;
    }
  }

  /** Where an application may begin to ask. */
  get addresses(): { host: string; port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** What connections need besides the addresses: TLS, a password, or nothing. */
  get connection(): ServerConnection {
    const { password } = this.setup;
    return { ...trusting(this.certificates), ...(password !== undefined && { password }) };
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.awake.admin.call('CLUSTER', 'KEYSLOT', key));
  }

  /** Who has the slot, as the nodes that run see it. */
  async masterOf(slot: number): Promise<ServerProcess> {
    const seen = await seenBy(this.awake);
    const owner = seen.find(({ slots }) => slots.some(([first, last]) => first <= slot && slot <= last));
    return this.at(owner?.port);
  }

  /** A name like `base` whose key is at that master; rejects when it has no slots. */
  async nameAt(master: ServerProcess, base: string, namespace = 'lock'): Promise<string> {
    const seen = await seenBy(this.awake);
    const slots = seen.find(({ port }) => port === master.port)?.slots ?? [];
    if (slots.length === 0) throw new Error(`The node at ${master.port} has no slots.`);
    for (let index = 0; ; index += 1) {
      const name = `${base}-${index}`;
      const slot = await this.slotOf(`${namespace}:${name}`);
      if (slots.some(([first, last]) => first <= slot && slot <= last)) return name;
    }
  }

  /** The masters that have slots, as the nodes that run see it. */
  async mastersNow(): Promise<ServerProcess[]> {
    const seen = await seenBy(this.awake);
    return seen.filter(({ slots }) => slots.length > 0).map(({ port }) => this.at(port));
  }

  /** A running replica of the master. */
  async replicaOf(master: ServerProcess): Promise<ServerProcess> {
    const seen = await seenBy(this.awake);
    const ports = seen.filter(({ masterId }) => masterId === this.ids.get(master)).map(({ port }) => port);
    const replica = this.nodes.find(({ port, running }) => running && ports.includes(port));
    if (!replica) throw new Error(`The node at ${master.port} has no replica.`);
    return replica;
  }

  /** A coordinated failover: nothing is lost. Resolves when the replica is the master. */
  async failover(master: ServerProcess): Promise<ServerProcess> {
    const replica = await this.replicaOf(master);
    let askedAt = -Infinity;
    const promoted = async (): Promise<boolean> => {
      if (await hasSlots(replica)) return true;
      if (performance.now() - askedAt < FAILOVER_ENDS) return false;
      askedAt = performance.now();
      // It is refused while the link to the master is down.
      await replica.admin.call('CLUSTER', 'FAILOVER').catch(() => (askedAt = -Infinity));
      return false;
    };
    await until('the replica is promoted', promoted, 20_000, 5);
    return replica;
  }

  /** One more master, without slots. */
  async join(): Promise<ServerProcess> {
    const node = await this.startNode();
    await this.awake.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.port);
    this.nodes.push(node);
    await this.met();
    await this.settled();
    await this.haveTimeout([node]);
    return node;
  }

  /** Stops a node where it is. */
  freeze(node: ServerProcess): void {
    this.frozen.add(node);
    node.signal('SIGSTOP');
  }

  /** Lets a node that was frozen go on; without an argument, all of them. */
  thaw(...nodes: ServerProcess[]): void {
    for (const node of nodes.length > 0 ? nodes : this.frozen) {
      node.signal('SIGCONT');
      this.frozen.delete(node);
    }
  }

  /** Resolves when the node is a master that has slots. */
  async promoted(replica: ServerProcess, patience = 20_000): Promise<void> {
    await until('a replica is promoted', () => hasSlots(replica), patience, 5);
  }

  /** The first half of a classic migration: both nodes know of it, and no key has moved. */
  async beginMove(slot: number, target: ServerProcess): Promise<void> {
    const source = await this.masterOf(slot);
    await target.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', this.idOf(source));
    await source.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', this.idOf(target));
  }

  /** Moves up to so many keys of a slot; how many it moved. */
  async moveKeys(slot: number, target: ServerProcess, most = Infinity): Promise<number> {
    const source = await this.masterOf(slot);
    let moved = 0;
    while (moved < most) {
      const count = Math.min(AT_A_TIME, most - moved);
      const keys = (await source.admin.call('CLUSTER', 'GETKEYSINSLOT', slot, count)) as string[];
      if (keys.length === 0) break;
      await source.admin.call('MIGRATE', '127.0.0.1', target.port, '', 0, 5_000, 'KEYS', ...keys);
      moved += keys.length;
    }
    return moved;
  }

  /** The last step: keys that are left are moved, and the slot belongs to the target. */
  async endMove(slot: number, target: ServerProcess): Promise<void> {
    await this.moveKeys(slot, target);
    const source = await this.masterOf(slot);
    for (const node of [target, source, ...this.nodes.filter((each) => each !== target && each !== source)])
      if (node.running) await setSlot(node, slot, this.idOf(target));
  }

  async moveSlot(slot: number, target: ServerProcess): Promise<void> {
    await this.beginMove(slot, target);
    await this.endMove(slot, target);
  }

  /** Gives all slots of a master to another one; keys stay behind. */
  async giveAllSlots(source: ServerProcess, target: ServerProcess): Promise<void> {
    const mine = (await seenBy(source)).find(({ flags }) => flags.includes('myself'))?.slots ?? [];
    for (const node of [target, source, ...this.nodes.filter((each) => each !== target && each !== source)])
      for (const [first, last] of node.running ? mine : [])
        await Promise.all(
          Array.from({ length: last - first + 1 }, (_, at) => setSlot(node, first + at, this.idOf(target))),
        );
  }

  /** How the server moves slots in one step, if it does. */
  async atomicMove(): Promise<'MIGRATESLOTS' | 'MIGRATION' | undefined> {
    const { admin } = this.awake;
    const info = await admin.info('server');
    const [valkey, redis] = ['valkey_version', 'redis_version'].map((field) => {
      const [, major = 0, minor = 0] = new RegExp(`^${field}:(\\d+)\\.(\\d+)`, 'm').exec(info) ?? [];
      return Number(major) + Number(minor) / 1_000;
    }) as [number, number];
    if (valkey >= 9) return 'MIGRATESLOTS';
    return valkey === 0 && redis >= 8.004 ? 'MIGRATION' : undefined;
  }

  /** Moves the slots in one step; the server pauses writes at the end of it. */
  async moveAtomically(first: number, last: number, target: ServerProcess): Promise<void> {
    const source = await this.masterOf(first);
    if ((await this.atomicMove()) === 'MIGRATION')
      await target.admin.call('CLUSTER', 'MIGRATION', 'IMPORT', first, last);
    else
      await source.admin.call(
        'CLUSTER',
        'MIGRATESLOTS',
        'SLOTSRANGE',
        first,
        last,
        'NODE',
        this.idOf(target),
      );
    const arrived = async (): Promise<boolean> =>
      (await this.masterOf(first)) === target && (await this.masterOf(last)) === target;
    await until('the slots have moved', arrived, 30_000);
  }

  /** Resolves when every master has its replica, and all nodes say the same of all slots. */
  async settled(): Promise<void> {
    await until('the cluster is complete', () => this.complete(), 60_000, 50);
  }

  idOf(node: ServerProcess): string {
    return this.ids.get(node) as string;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) if (node.running) node.signal('SIGCONT');
    await Promise.all(this.nodes.map((node) => node.stop()));
    this.directory.remove();
  }

  /** A node that answers. */
  private get awake(): ServerProcess {
    return this.nodes.find((node) => node.running && !this.frozen.has(node)) as ServerProcess;
  }

  private at(port: number | undefined): ServerProcess {
    const node = this.nodes.find((each) => each.port === port);
    if (!node) throw new Error('The cluster names no master of ours.');
    return node;
  }

  private async startNode(): Promise<ServerProcess> {
    const { fullCoverage = false, password } = this.setup;
    const { path } = this.directory;
    const args = (port: number): string[] => [
      ...listening(port, this.certificates).flatMap(([name, value]) => [`--${name}`, value]),
      ...(this.certificates ? ['--tls-cluster', 'yes'] : []),
      ...(password === undefined ? [] : ['--requirepass', password, '--masterauth', password]),
      ...(
        `--bind 127.0.0.1 --appendonly no --repl-diskless-sync-delay 0 --dir ${path} --dbfilename ${port}.rdb ` +
        `--cluster-enabled yes --cluster-config-file nodes-${port}.conf --cluster-node-timeout ${NODE_TIMEOUT} ` +
        `--cluster-require-full-coverage ${fullCoverage ? 'yes' : 'no'} --cluster-replica-validity-factor 0`
      ).split(' '),
      ...['--save', ''],
    ];
    const node = await ServerProcess.start(path, args, this.connection);
    this.ids.set(node, String(await node.admin.call('CLUSTER', 'MYID')));
    return node;
  }

  private async boot(): Promise<void> {
    const count = this.masters * (1 + this.replicas);
    const started = await Promise.allSettled(Array.from({ length: count }, () => this.startNode()));
    for (const each of started) if (each.status === 'fulfilled') this.nodes.push(each.value);
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    const [first, ...others] = this.nodes as [ServerProcess, ...ServerProcess[]];
    for (const [index, node] of this.nodes.entries())
      await node.admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    for (const [index, master] of this.nodes.slice(0, this.masters).entries()) {
      const from = Math.ceil((index * SLOTS) / this.masters);
      const to = Math.ceil(((index + 1) * SLOTS) / this.masters);
      const slots = Array.from({ length: to - from }, (_, offset) => from + offset);
      await master.admin.call('CLUSTER', 'ADDSLOTS', ...slots);
    }
    for (const { port } of others) await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', port);
    await this.met();
    for (const [index, node] of this.nodes.slice(this.masters).entries())
      await node.admin.call(
        'CLUSTER',
        'REPLICATE',
        this.idOf(this.nodes[index % this.masters] as ServerProcess),
      );
    await this.settled();
    await this.haveTimeout(this.nodes);
  }

  private async haveTimeout(nodes: readonly ServerProcess[], ms = this.setup.nodeTimeout): Promise<void> {
    if (ms === undefined || ms === NODE_TIMEOUT) return;
    await Promise.all(nodes.map(({ admin }) => admin.config('SET', 'cluster-node-timeout', ms)));
  }

  /** Resolves when all nodes know each other. */
  private async met(): Promise<void> {
    const met = async (): Promise<boolean> => {
      const views = await Promise.all(this.nodes.map((node) => seenBy(node)));
      return views.every(
        (seen) => seen.length === this.nodes.length && !seen.some(({ flags }) => flags.includes('handshake')),
      );
    };
    await until('the nodes know each other', met);
  }

  private async complete(): Promise<boolean> {
    if (this.nodes.some(({ running }) => !running)) return false;
    const views = await Promise.all(this.nodes.map((node) => seenBy(node)));
    const shards = views.map((seen) =>
      seen
        .map(
          ({ id, flags, masterId, slots }) => `${id} ${flags.includes('master')} ${masterId} ${slots.join()}`,
        )
        .sort()
        .join('\n'),
    );
    if (shards.some((each) => each !== shards[0])) return false;
    const [seen = []] = views;
    if (seen.some(({ flags }) => flags.some((flag) => /fail|handshake|noaddr/.test(flag)))) return false;
    const owners = seen.filter(({ slots }) => slots.length > 0);
    const covered = owners.flatMap(({ slots }) => slots.map(([from, to]) => to - from + 1));
    if (covered.reduce((sum, each) => sum + each, 0) !== SLOTS) return false;
    const ports = new Set(owners.map(({ port }) => port));
    for (const { admin, port } of this.nodes) {
      const [info, state] = await Promise.all([admin.info('replication'), admin.cluster('INFO')]);
      if (/role:slave/.test(info) && !/master_link_status:up/.test(info)) return false;
      if (ports.has(port) && this.replicas > 0 && !/connected_slaves:[1-9]/.test(info)) return false;
      if (!/cluster_state:ok/.test(String(state))) return false;
    }
    return true;
  }
}

/** All nodes as one of them sees them. */
async function seenBy({ admin }: ServerProcess): Promise<Seen[]> {
  const lines = String(await admin.call('CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  return lines.map((line) => {
    const [id = '', address = '', flags = '', masterId = '', , , , , ...ranges] = line.split(' ');
    const slots = ranges
      .filter((range) => !range.startsWith('['))
      .map((range) => range.split('-').map(Number))
      .map(([from = 0, to = from]) => [from, to] as const);
    return { id, port: Number(/:(\d+)/.exec(address)?.[1]), flags: flags.split(','), masterId, slots };
  });
}

/** Whether the node says that it is a master with slots. */
async function hasSlots(node: ServerProcess): Promise<boolean> {
  return (await seenBy(node)).some(({ flags, slots }) => flags.includes('myself') && slots.length > 0);
}

/** A replica refuses to be told of slots; it hears of them from its master. */
async function setSlot({ admin }: ServerProcess, slot: number, id: string): Promise<void> {
  await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', id).catch((error: Error) => {
    if (!/replica|slave|master/i.test(error.message)) throw error;
  });
}
