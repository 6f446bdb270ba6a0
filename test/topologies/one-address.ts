import { ServerProcess } from '../../tools/redis/server-process.js';
import { TopologyDirectory } from '../../tools/redis/topology-directory.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { pass, until } from '../support/eventually.js';
import { monotonic } from '../proof/faults/harness/history.js';
import { interruptionSince, Load, type LoadVerdict } from './load.js';

export interface OneAddressVerdict extends LoadVerdict {
  /** The interruption from the moment on in which the address led to the new master. */
  readonly ours: number;
}

/**
 * A master and a replica behind one address, as a managed service has it, and the command FAILOVER: the two change
 * places, nothing is lost, no connection is closed, and the address leads to the new master a moment later.
 */
export async function coordinatedFailover(): Promise<OneAddressVerdict> {
  const directory = new TopologyDirectory();
  const servers: ServerProcess[] = [];
  let address: TcpProxy | undefined;
  try {
    const plain = (port: number): string[] => [
      ...`--port ${port} --bind 127.0.0.1 --appendonly no --repl-diskless-sync-delay 0`.split(' '),
      ...['--save', '', '--dbfilename', `${port}.rdb`, '--dir', directory.path],
    ];
    const master = await ServerProcess.start(directory.path, plain);
    servers.push(master);
    const follows = (port: number): string[] => [
      ...plain(port),
      '--replicaof',
      '127.0.0.1',
      String(master.port),
    ];
    const replica = await ServerProcess.start(directory.path, follows);
    servers.push(replica);
    const linked = async (): Promise<boolean> =>
      /connected_slaves:1/.test(await master.admin.info('replication')) &&
      /master_link_status:up/.test(await replica.admin.info('replication'));
    await until('the replica copies the master', linked, 20_000, 20);
    address = await TcpProxy.start(master.port);
    const load = new Load(address.url, servers);
    await load.begin();
    await pass(500);
    load.fault('FAILOVER');
    await master.admin.call('FAILOVER');
    const isMaster = async (): Promise<boolean> =>
      /role:master/.test(await replica.admin.info('replication'));
    await until('the replica is the master', isMaster, 20_000, 5);
    address.leadTo(replica.port);
    const leadsAt = monotonic();
    await load.join();
    await pass(2_000);
    const verdict = await load.end();
    return { ...verdict, ours: interruptionSince(verdict, leadsAt) };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await address?.close();
    directory.remove();
  }
}
