import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../patience.js';
import { listening, makeCertificates, trusting, type Certificates } from './certificates.js';
import { ServerProcess } from './server-process.js';
import { TopologyDirectory } from './topology-directory.js';

/** What the sentinels call the master. */
export const MASTER = 'mymaster';

export interface SentinelSetup {
  /** How long the sentinels wait before they take a silent master for dead, in milliseconds. @default 1000 */
  readonly downAfter?: number;
  /** The port at which the replicas find the master, such as that of a proxy before it. */
  readonly linkTo?: (masterPort: number) => Promise<number>;
  /** Everything over TLS, by an authority of its own. @default false */
  readonly tls?: boolean;
}

/** A master, two replicas and three sentinels, which are stopped by their process ids. */
export class SentinelServers {
  readonly sentinels: ServerProcess[] = [];
  readonly servers: ServerProcess[] = [];
  private readonly directory = new TopologyDirectory();

  private readonly certificates: Certificates | undefined;

  private constructor(private readonly setup: SentinelSetup) {
    if (setup.tls) this.certificates = makeCertificates(this.directory.path);
  }

  static async start(setup: SentinelSetup = {}): Promise<SentinelServers> {
    const topology = new SentinelServers(setup);
    try {
      await topology.boot();
      return topology;
    } catch (error) {
      await topology.stop();
      throw error;
    }
  }

  /** What an application writes as its option redis. */
  get addresses(): { sentinels: { host: string; port: number }[]; name: string } {
    const { tls } = trusting(this.certificates);
    return {
      sentinels: this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      name: MASTER,
      ...(tls && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
    };
  }

  /** Whom the most sentinels name as the master. */
  async master(): Promise<ServerProcess> {
    const named = await Promise.all(this.sentinels.map((each) => masterOf(each)));
    const port = named.find((each) => named.filter((other) => other === each).length * 2 > named.length);
    const server = this.servers.find((each) => each.port === port);
    if (!server) throw new Error(`The sentinels do not agree: ${named.join(', ')}`);
    return server;
  }

  /** Whom one sentinel names. */
  async masterNamedBy(sentinel: ServerProcess): Promise<ServerProcess> {
    const port = await masterOf(sentinel);
    return this.servers.find((each) => each.port === port) as ServerProcess;
  }

  /** Resolves when a replica was promoted and all sentinels say so. */
  async plannedFailover(asked = this.sentinels[0] as ServerProcess, ...how: string[]): Promise<void> {
    const before = (await this.master()).port;
    await asked.admin.call('SENTINEL', 'FAILOVER', MASTER, ...how);
    await this.switched(before);
  }

  /** Whether these sentinels know SENTINEL FAILOVER … COORDINATED: those of Valkey from 9.0 on. */
  async coordinates(): Promise<boolean> {
    const info = await (this.sentinels[0] as ServerProcess).admin.info('server');
    return Number(/^valkey_version:(\d+)/m.exec(info)?.[1] ?? 0) >= 9;
  }

  /** Resolves when the first of the sentinels that answer names another master. */
  async named(before: number, answering: readonly ServerProcess[] = this.sentinels): Promise<void> {
    const another = async (): Promise<boolean> =>
      (await Promise.all(answering.map((each) => masterOf(each)))).some((port) => port !== before);
    await until('a sentinel names another master', another, 20_000, 5);
  }

  /** Resolves when the sentinels that answer name another master. */
  async switched(before: number, answering: readonly ServerProcess[] = this.sentinels): Promise<void> {
    const others = async (): Promise<boolean> =>
      (await Promise.all(answering.map((each) => masterOf(each)))).every((port) => port !== before);
    await until('the sentinels name another master', others);
  }

  /** Resolves when both others copy the master, and the sentinels know them: then a failover can be had. */
  async settled(): Promise<void> {
    await until('the topology is complete', () => this.complete(), 60_000, 100);
  }

  async stop(): Promise<void> {
    const all = [...this.sentinels, ...this.servers];
    for (const each of all) if (each.running) each.signal('SIGCONT');
    await Promise.all(all.map((each) => each.stop()));
    this.directory.remove();
  }

  private async complete(): Promise<boolean> {
    if (this.servers.some(({ running }) => !running)) return false;
    const masters = await Promise.all(
      this.servers.map(async ({ admin }) => {
        const info = await admin.info('replication');
        return /role:master/.test(info) ? Number(/connected_slaves:(\d+)/.exec(info)?.[1]) : -1;
      }),
    );
    if (masters.filter((replicas) => replicas >= 0).join() !== '2') return false;
    for (const { admin } of this.sentinels) {
      const replicas = ((await admin.call('SENTINEL', 'REPLICAS', MASTER)) as string[][]).map(fieldsOf);
      const good = replicas.filter(
        (each) => each['flags'] === 'slave' && each['master-link-status'] === 'ok',
      );
      if (good.length < 2) return false;
      const state = fieldsOf((await admin.call('SENTINEL', 'MASTER', MASTER)) as string[]);
      if (state['flags'] !== 'master' || state['num-other-sentinels'] !== '2') return false;
    }
    return true;
  }

  private async boot(): Promise<void> {
    const { downAfter = 1_000, linkTo } = this.setup;
    const { path } = this.directory;
    const connection = trusting(this.certificates);
    const plain = (port: number): string[] => [
      ...listening(port, this.certificates).flatMap(([name, value]) => [`--${name}`, value]),
      ...`--bind 127.0.0.1 --appendonly no --repl-diskless-sync-delay 0 --dir ${path}`.split(' '),
      ...['--save', '', '--dbfilename', `${port}.rdb`],
    ];
    const master = await ServerProcess.start(path, plain, connection);
    this.servers.push(master);
    const link = (await linkTo?.(master.port)) ?? master.port;
    const replica = (port: number): string[] => [...plain(port), '--replicaof', '127.0.0.1', String(link)];
    for (let count = 0; count < 2; count += 1)
      this.servers.push(await ServerProcess.start(path, replica, connection));
    const linked = async (): Promise<boolean> =>
      /connected_slaves:2/.test(await master.admin.info('replication'));
    await until('the replicas copy the master', linked);
    for (let count = 0; count < 3; count += 1) {
      const configured = (port: number): string[] => {
        const file = join(path, `sentinel-${port}.conf`);
        const lines = [
          ...listening(port, this.certificates).map((words) => words.join(' ')),
          'bind 127.0.0.1',
          `dir ${path}`,
          `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 2`,
          `sentinel down-after-milliseconds ${MASTER} ${downAfter}`,
          // So long do sentinels leave a replica alone that copies another port than that of the master.
          `sentinel failover-timeout ${MASTER} ${linkTo ? 180_000 : 10_000}`,
        ];
        writeFileSync(file, `${lines.join('\n')}\n`);
        return [file, '--sentinel'];
      };
      this.sentinels.push(await ServerProcess.start(path, configured, connection));
    }
    await this.settled();
  }
}

async function masterOf({ admin }: ServerProcess): Promise<number> {
  const answer = (await admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string];
  return Number(answer[1]);
}

function fieldsOf(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2)
    fields[flat[index] as string] = flat[index + 1] as string;
  return fields;
}
