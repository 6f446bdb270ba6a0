import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../tools/free-port.js';
import { guardAgainstOrphan } from '../../tools/orphan-guard.js';
import { redisAnswer } from '../../tools/redis/redis-answer.js';
import { serverBinary } from '../../tools/redis/server-binary.js';
import { until } from '../support/eventually.js';

const BINARY = serverBinary() ?? 'redis-server';
const PATIENCE = 20_000;

/** What the sentinels call the master. */
export const MASTER = 'mymaster';

/** One process of the topology. */
class Server {
  readonly admin: Redis;

  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly disarm: () => void,
  ) {
    this.admin = new Redis({ port, maxRetriesPerRequest: null, retryStrategy: () => 100 });
    this.admin.on('error', () => undefined);
  }

  static async start(directory: string, args: (port: number) => string[]): Promise<Server> {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const port = await freePort();
      const child = spawn(BINARY, args(port), { stdio: 'ignore', detached: true, cwd: directory });
      const disarm = guardAgainstOrphan(`kill -9 ${child.pid}`);
      const ours = async (): Promise<boolean> =>
        child.exitCode !== null ||
        new RegExp(`process_id:${child.pid}\r`).test((await redisAnswer(port)) ?? '');
      await until('a server of the topology answers', ours, PATIENCE, 20);
      if (child.exitCode === null) return new Server(port, child, disarm);
      disarm(); // the port was taken meanwhile
    }
    throw new Error(`${BINARY} did not start in 5 attempts.`);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async stop(): Promise<void> {
    this.admin.disconnect();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await gone;
    }
    this.disarm();
  }
}

/** A master, two replicas and three sentinels, which are stopped by their process ids. */
export class SentinelServers {
  readonly sentinels: Server[] = [];
  readonly servers: Server[] = [];
  private readonly directory = mkdtempSync(join(tmpdir(), 'lock-sentinel-'));

  /** How long the sentinels wait before they take a silent master for dead, in milliseconds. */
  private constructor(private readonly downAfter: number) {}

  static async start(downAfter = 1_000): Promise<SentinelServers> {
    const topology = new SentinelServers(downAfter);
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
    return { sentinels: this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })), name: MASTER };
  }

  /** Whom the most sentinels name as the master. */
  async master(): Promise<Server> {
    const named = await Promise.all(this.sentinels.map((each) => this.masterOf(each)));
    const port = named.find((each) => named.filter((other) => other === each).length * 2 > named.length);
    const server = this.servers.find((each) => each.port === port);
    if (!server) throw new Error(`The sentinels do not agree: ${named.join(', ')}`);
    return server;
  }

  /** Whom one sentinel names. */
  async masterNamedBy(sentinel: Server): Promise<Server> {
    const port = await this.masterOf(sentinel);
    return this.servers.find((each) => each.port === port) as Server;
  }

  /** Resolves when a replica was promoted and all sentinels say so. */
  async plannedFailover(asked = this.sentinels[0] as Server): Promise<void> {
    const before = (await this.master()).port;
    await asked.admin.call('SENTINEL', 'FAILOVER', MASTER);
    await this.switched(before);
  }

  /** Resolves when the sentinels that answer name another master. */
  async switched(before: number, answering: readonly Server[] = this.sentinels): Promise<void> {
    const others = async (): Promise<boolean> =>
      (await Promise.all(answering.map((each) => this.masterOf(each)))).every((port) => port !== before);
    await until('the sentinels name another master', others, PATIENCE, 20);
  }

  /** Resolves when both others copy the master, and the sentinels know them: then a failover can be had. */
  async settled(): Promise<void> {
    const complete = async (): Promise<boolean> => {
      const masters = await Promise.all(
        this.servers.map(async ({ admin }) => {
          const info = await admin.info('replication');
          return /role:master/.test(info) ? Number(/connected_slaves:(\d+)/.exec(info)?.[1]) : -1;
        }),
      );
      if (masters.filter((replicas) => replicas >= 0).join() !== '2') return false;
      for (const { admin } of this.sentinels) {
        const replicas = (await admin.call('SENTINEL', 'REPLICAS', MASTER)) as string[][];
        const known = replicas.map((fields) => fieldsOf(fields));
        if (
          known.filter((each) => each['flags'] === 'slave' && each['master-link-status'] === 'ok').length < 2
        )
          return false;
        const state = fieldsOf((await admin.call('SENTINEL', 'MASTER', MASTER)) as string[]);
        if (state['flags'] !== 'master' || state['num-other-sentinels'] !== '2') return false;
      }
      return true;
    };
    await until('the topology is complete', complete, 60_000, 100);
  }

  async stop(): Promise<void> {
    for (const each of [...this.sentinels, ...this.servers]) each.signal('SIGCONT');
    await Promise.all([...this.sentinels, ...this.servers].map((each) => each.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async boot(): Promise<void> {
    const plain = (port: number): string[] =>
      `--port ${port} --bind 127.0.0.1 --appendonly no --repl-diskless-sync-delay 0 --dir ${this.directory}`
        .split(' ')
        .concat('--save', '', '--dbfilename', `${port}.rdb`);
    const master = await Server.start(this.directory, plain);
    this.servers.push(master);
    for (let count = 0; count < 2; count += 1)
      this.servers.push(
        await Server.start(this.directory, (port) => [
          ...plain(port),
          '--replicaof',
          '127.0.0.1',
          String(master.port),
        ]),
      );
    const linked = async (): Promise<boolean> =>
      /connected_slaves:2/.test(await master.admin.info('replication'));
    await until('the replicas copy the master', linked, PATIENCE, 50);
    for (let count = 0; count < 3; count += 1) {
      const configured = (port: number): string[] => {
        const file = join(this.directory, `sentinel-${port}.conf`);
        const lines = [
          `port ${port}`,
          'bind 127.0.0.1',
          `dir ${this.directory}`,
          `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 2`,
          `sentinel down-after-milliseconds ${MASTER} ${this.downAfter}`,
          `sentinel failover-timeout ${MASTER} 10000`,
        ];
        writeFileSync(file, `${lines.join('\n')}\n`);
        return [file, '--sentinel'];
      };
      this.sentinels.push(await Server.start(this.directory, configured));
    }
    await this.settled();
  }

  private async masterOf({ admin }: Server): Promise<number> {
    const answer = (await admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string];
    return Number(answer[1]);
  }
}

function fieldsOf(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2)
    fields[flat[index] as string] = flat[index + 1] as string;
  return fields;
}
