import { Redis } from 'ioredis';
import type { Contender } from '../contenders/contender.js';
import { entrant } from '../contenders/entrants.js';
import { urlsIn } from '../contenders/node-addresses.js';
import { cpuOf } from '../measure/server-cpu.js';

const contenders = new Map<string, Promise<Contender>>();
const connections = new Map<string, Redis>();

/** The contender of this process at that server; the same for every round. */
export function contenderOf(id: string, url: string): Promise<Contender> {
  const key = `${id} ${url}`;
  let contender = contenders.get(key);
  if (!contender) contenders.set(key, (contender = entrant(id).open(url)));
  return contender;
}

/** A connection of this process; the same for every round. */
export function connection(url: string, purpose: string): Redis {
  const key = `${purpose} ${url}`;
  let client = connections.get(key);
  if (!client) connections.set(key, (client = new Redis(url)));
  return client;
}

/** Seconds of processor time that the server, or all masters of a cluster, have used so far. */
export async function serverCpu(url: string): Promise<number> {
  const used = await Promise.all(urlsIn(url).map((each) => cpuOf(connection(each, 'admin'))));
  return used.reduce((sum, each) => sum + each, 0);
}

/** How often the servers have run a command so far, whoever asked for it: clients or scripts. */
export async function callsOf(url: string, command: string): Promise<number> {
  let calls = 0;
  for (const each of urlsIn(url)) {
    const stats = await connection(each, 'admin').info('commandstats');
    calls += Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
  }
  return calls;
}

/** Ends all of them. */
export async function closeAll(): Promise<void> {
  await Promise.all([...contenders.values()].map(async (contender) => (await contender).close()));
  for (const client of connections.values()) client.disconnect();
  contenders.clear();
  connections.clear();
}

/** Reads, and writes what was read plus one: loses updates unless it runs alone. Two round trips. */
export function readModifyWrite(url: string, name: string): () => Promise<void> {
  const data = connection(url, 'data');
  const key = `counter:${name}`;
  return async () => {
    const count = Number(await data.get(key));
    await data.set(key, count + 1);
  };
}
