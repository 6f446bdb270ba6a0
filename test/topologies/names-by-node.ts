import type { ClusterServers } from '../../tools/redis/cluster-servers.js';
import type { ServerProcess } from '../../tools/redis/server-process.js';

/** A name of a lock, and the slot of its key. */
export interface NamedSlot {
  readonly name: string;
  readonly slot: number;
}

/** So many names at each master. */
export async function namesByNode(
  servers: ClusterServers,
  each: number,
  namespace = 'lock',
): Promise<Map<ServerProcess, NamedSlot[]>> {
  const found = new Map<ServerProcess, NamedSlot[]>();
  for (const master of await servers.mastersNow()) found.set(master, []);
  for (let count = 0; [...found.values()].some((names) => names.length < each); count += 1) {
    const name = `name-${count}`;
    const slot = await servers.slotOf(`${namespace}:${name}`);
    const names = found.get(await servers.masterOf(slot));
    if (names && names.length < each) names.push({ name, slot });
  }
  return found;
}
