import { ClusterServers } from '../redis/cluster-servers.js';
import { SentinelServers } from '../redis/sentinel-servers.js';
import { serverBinary } from '../redis/server-binary.js';

/** Several servers, of which the one that has the lock of the sale can be killed. */
export interface Topology {
  /** What it is, in words. */
  readonly words: string;
  /** What the processes of the sample are told. */
  readonly env: Record<string, string>;
  /** Kills the master that has the key; resolves when another one has its place, with how long that took. */
  killMaster(key: string): Promise<number>;
  stop(): Promise<void>;
}

const list = (addresses: readonly { host: string; port: number }[]): string =>
  addresses.map(({ host, port }) => `${host}:${port}`).join(',');

export const TOPOLOGIES: Record<string, () => Promise<Topology>> = {
  sentinel: async () => {
    const servers = await SentinelServers.start();
    const { sentinels, name } = servers.addresses;
    return {
      words: 'a master, two replicas and three sentinels',
      env: { REDIS_SENTINELS: list(sentinels), REDIS_MASTER: name },
      killMaster: async () => {
        const master = await servers.master();
        const began = performance.now();
        await master.kill();
        await servers.switched(master.port);
        return performance.now() - began;
      },
      stop: () => servers.stop(),
    };
  },
  cluster: async () => {
    const servers = await ClusterServers.start();
    return {
      words: 'a cluster of three masters and three replicas',
      env: { REDIS_CLUSTER: list(servers.addresses) },
      killMaster: async (key) => {
        const master = await servers.masterOf(await servers.slotOf(key));
        const replica = await servers.replicaOf(master);
        const began = performance.now();
        await master.kill();
        await servers.promoted(replica);
        return performance.now() - began;
      },
      stop: () => servers.stop(),
    };
  },
};

/** Starts the topology by its name. @throws Error in words for whoever typed it */
export async function startTopology(name: string): Promise<Topology> {
  const start = TOPOLOGIES[name];
  const names = Object.keys(TOPOLOGIES).join(' or ');
  if (!start) throw new Error(`--topology is ${names}; it was '${name}'.`);
  if (serverBinary() === undefined)
    throw new Error(
      `--topology ${name} needs a redis-server that it can start: install one (apt install redis-server, brew install ` +
        'redis), or set REDIS_SERVER_BINARY to the path of a redis-server or valkey-server.',
    );
  return start();
}
