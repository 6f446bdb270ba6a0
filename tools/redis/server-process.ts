import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { freePort } from '../free-port.js';
import { guardAgainstOrphan } from '../orphan-guard.js';
import { until } from '../patience.js';
import { redisAnswer } from './redis-answer.js';
import { serverBinary } from './server-binary.js';

// The bus of a cluster listens 10 000 above the port of the clients.
const HIGHEST_PORT = 55_000;

/** What connections to a server need besides its port. */
export interface ServerConnection {
  readonly tls?: { readonly ca: string };
  readonly password?: string;
}

/** One server of a topology: a process that can be frozen, killed and started again at its port. */
export class ServerProcess {
  /** A connection for commands about the server; it waits while the server is away. */
  readonly admin: Redis;
  /** How often something was done to the process: what was measured across that says nothing of the machine. */
  disturbances = 0;
  private child!: ChildProcess;
  private disarm: () => void = () => undefined;

  private constructor(
    readonly port: number,
    private readonly binary: string,
    private readonly directory: string,
    private readonly args: readonly string[],
    private readonly connection: ServerConnection,
  ) {
    this.admin = new Redis({
      port,
      lazyConnect: true,
      maxRetriesPerRequest: null,
      retryStrategy: () => 100,
      ...connection,
    });
    this.admin.on('error', () => undefined);
  }

  /** Starts one at a free port; `args` are for that port. */
  static async start(
    directory: string,
    args: (port: number) => readonly string[],
    connection: ServerConnection = {},
  ): Promise<ServerProcess> {
    const binary = serverBinary();
    if (binary === undefined)
      throw new Error(
        'No server was found for a topology: install redis-server (apt install redis-server, brew install redis), or ' +
          'set REDIS_SERVER_BINARY to the path of a redis-server or valkey-server.',
      );
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const port = await freePort();
      if (port > HIGHEST_PORT) continue;
      const server = new ServerProcess(port, binary, directory, args(port), connection);
      if (await server.boot()) return server;
      await server.stop(); // the port was taken meanwhile
    }
    throw new Error(`${binary} did not start in 100 attempts.`);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Starts the process, also after it was killed; whether it answers. */
  async boot(): Promise<boolean> {
    this.disturbances += 1;
    const child = spawn(this.binary, this.args, { stdio: 'ignore', detached: true, cwd: this.directory });
    this.child = child;
    this.disarm = guardAgainstOrphan(`kill -9 ${child.pid}`);
    const answers = async (): Promise<boolean> => {
      if (!this.running) return true;
      if (this.connection.tls || this.connection.password !== undefined)
        return (await this.answersClient()) === 'PONG';
      // A server that is not ours may have taken the port.
      return new RegExp(`process_id:${child.pid}\r`).test((await redisAnswer(this.port)) ?? '');
    };
    await until('a server of the topology answers', answers);
    if (this.running && this.admin.status === 'wait') await this.admin.connect();
    return this.running;
  }

  signal(signal: NodeJS.Signals): void {
    this.disturbances += 1;
    this.child.kill(signal);
  }

  /** Kills it; what it knew is gone. */
  async kill(): Promise<void> {
    if (this.running) {
      const gone = once(this.child, 'exit');
      this.signal('SIGKILL');
      await gone;
    }
    this.disarm();
  }

  async stop(): Promise<void> {
    this.admin.disconnect();
    await this.kill();
  }

  private async answersClient(): Promise<string | undefined> {
    const client = this.admin.duplicate({
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.ping();
    } catch {
      return undefined;
    } finally {
      client.disconnect();
    }
  }
}
