import { serverBinary } from '../../redis/server-binary.js';
import { ServerProcess } from '../../redis/server-process.js';
import { startRedis } from '../../redis/start-redis.js';
import { TopologyDirectory } from '../../redis/topology-directory.js';

/** The Redis of the live page. One that the demo has started itself can be stopped, and started again at its port. */
export interface LiveRedis {
  readonly url: string;
  readonly kind: string;
  readonly emulated: boolean;
  readonly stoppable: boolean;
  readonly up: boolean;
  down(): Promise<void>;
  again(): Promise<void>;
  stop(): Promise<void>;
}

export async function startLiveRedis(): Promise<LiveRedis> {
  const given = (process.env.REDIS_URL ?? '') !== '';
  return given || serverBinary() === undefined ? fixedRedis() : ownRedis();
}

async function fixedRedis(): Promise<LiveRedis> {
  const { url, kind, stop } = await startRedis();
  const never = () => Promise.reject(new Error('This Redis is not ours to stop.'));
  return {
    url,
    kind,
    emulated: kind === 'emulated',
    stoppable: false,
    up: true,
    down: never,
    again: never,
    stop,
  };
}

async function ownRedis(): Promise<LiveRedis> {
  const directory = new TopologyDirectory();
  const server = await ServerProcess.start(directory.path, (port) => [
    ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    ...['--dir', directory.path],
  ]);
  return {
    url: `redis://127.0.0.1:${server.port}`,
    kind: 'server',
    emulated: false,
    stoppable: true,
    get up() {
      return server.running;
    },
    down: () => server.kill(),
    again: async () => {
      if (!(await server.boot())) throw new Error(`Redis did not start again at port ${server.port}.`);
    },
    stop: async () => {
      await server.stop();
      directory.remove();
    },
  };
}
