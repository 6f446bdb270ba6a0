import { createLockService } from '../../lib/locks/create-lock-service.js';
import { listening, makeCertificates, obstacleToTls, trusting } from '../../tools/redis/certificates.js';
import { ServerProcess } from '../../tools/redis/server-process.js';
import { TopologyDirectory } from '../../tools/redis/topology-directory.js';
import { failureOf, pass } from '../support/eventually.js';
import { Load, type LoadVerdict, type Redis } from './load.js';

export interface TlsVerdict extends LoadVerdict {
  /** What a client is told that does not know the authority. */
  readonly stranger: string;
}

/** A server that listens over TLS alone, its certificate by an authority of its own; undefined where that cannot be had. */
export class TlsServer {
  private constructor(
    readonly server: ServerProcess,
    private readonly directory: TopologyDirectory,
    private readonly ca: string,
  ) {}

  static async start(): Promise<TlsServer | undefined> {
    if (obstacleToTls() !== undefined) return undefined;
    const directory = new TopologyDirectory();
    try {
      const certificates = makeCertificates(directory.path);
      const args = (port: number): string[] => [
        ...listening(port, certificates).flatMap(([name, value]) => [`--${name}`, value]),
        ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory.path],
      ];
      const connection = trusting(certificates);
      const server = await ServerProcess.start(directory.path, args, connection);
      return new TlsServer(server, directory, connection.tls?.ca ?? '');
    } catch (error) {
      directory.remove();
      throw error;
    }
  }

  /** What an application writes as its option redis. */
  get redis(): { host: string; port: number; tls: { ca: string } } {
    return { host: '127.0.0.1', port: this.server.port, tls: { ca: this.ca } };
  }

  get url(): string {
    return `rediss://127.0.0.1:${this.server.port}`;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    this.directory.remove();
  }
}

/** Why a service cannot be had. */
export async function refusalOf(redis: Redis): Promise<string> {
  const locks = createLockService({ redis, log: { warn: () => undefined } });
  try {
    return (await failureOf<Error>(locks.ready())).message;
  } finally {
    await locks.close();
  }
}

/** Load over TLS, whose connections are cut every now and then. */
export async function loadOverTls(): Promise<TlsVerdict | undefined> {
  const tls = await TlsServer.start();
  if (!tls) return undefined;
  try {
    const stranger = await refusalOf(tls.url);
    const load = new Load(tls.redis, [tls.server]);
    await load.begin();
    for (let times = 0; times < 5; times += 1) {
      await pass(300);
      load.fault('CLIENT KILL');
      await tls.server.admin.call('CLIENT', 'KILL', 'TYPE', times % 2 ? 'pubsub' : 'normal', 'SKIPME', 'yes');
    }
    await pass(500);
    return { ...(await load.end()), stranger };
  } finally {
    await tls.stop();
  }
}
