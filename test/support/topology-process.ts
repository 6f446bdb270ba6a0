import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';

// Starts a topology, says the process ids of its servers, and stays; or fails in the middle.
const [kind] = process.argv.slice(2);
const topology = kind === 'cluster' ? await ClusterServers.start() : await SentinelServers.start();
const servers =
  topology instanceof ClusterServers ? topology.nodes : [...topology.servers, ...topology.sentinels];
console.log(`servers ${servers.map(({ pid }) => pid).join(' ')} are up`);
setInterval(() => undefined, 1_000);
if (kind === 'failing') throw new Error('a test that fails');
