import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterServers } from '../../../tools/redis/cluster-servers.js';
import { SentinelServers } from '../../../tools/redis/sentinel-servers.js';
import type { Bed } from '../faults/harness/bed.js';
import { CLUSTER_LARGE, CLUSTER_WORDS } from './cluster-mischief.js';
import { ServerField, type Field } from './field.js';
import { LARGE, LOSSES, SMALL, TO_WORKERS, type Mischief } from './mischief.js';
import { SENTINEL_LARGE, SENTINEL_WORDS } from './sentinel-mischief.js';
import { TopologyField } from './topology-field.js';

/** A topology, its workers, and what is done to them until the time is over. */
export interface Arena {
  readonly field: Field;
  /** Does mischief until `end`, by {@link performance.now}. */
  disturb(end: number): Promise<unknown>;
  /** Everything works again. */
  calm(): Promise<void>;
  stop(): Promise<void>;
}

export const ARENAS: Record<string, (bed: Bed) => Promise<Arena>> = {
  single: async (bed) => {
    const server = await bed.server();
    server.measurePing(false);
    const field = new ServerField(bed, server);
    return {
      field,
      disturb: (end) =>
        Promise.all([
          some(field, SMALL, 50, 1_000, end),
          some(field, SMALL, 200, 2_000, end),
          some(field, LARGE, 200, 1_500, end, LOSSES),
        ]),
      calm: async () => {
        for (const proxy of field.proxies) proxy.pass();
        await sleep(200);
      },
      stop: async () => undefined,
    };
  },
  sentinel: async (bed) => {
    const servers = await SentinelServers.start();
    const field = new TopologyField(bed, servers, { ...servers.addresses });
    return inTopology(field, SENTINEL_LARGE, SENTINEL_WORDS);
  },
  cluster: async (bed) => {
    const servers = await ClusterServers.start();
    const field = new TopologyField(bed, servers, { cluster: servers.addresses });
    const { 'a slot is moved in one step': _inOneStep, ...large } = CLUSTER_LARGE;
    const possible = (await servers.atomicMove()) !== undefined;
    return inTopology(field, possible ? CLUSTER_LARGE : large, CLUSTER_WORDS);
  },
};

function inTopology<S extends { settled(): Promise<void>; stop(): Promise<void> }>(
  field: TopologyField<S>,
  large: Record<string, Mischief<TopologyField<S>>>,
  words: Record<string, Mischief<TopologyField<S>>>,
): Arena {
  return {
    field,
    disturb: (end) =>
      Promise.all([
        some(field, TO_WORKERS, 200, 2_000, end),
        some(field, words, 500, 3_000, end),
        some(field, large, 200, 1_500, end),
      ]),
    calm: () => field.servers.settled(),
    stop: () => field.servers.stop(),
  };
}

/** One thing after another, each at random; every twelfth is one of the `rare`. */
async function some<F extends Field>(
  field: F,
  table: Record<string, Mischief<F>>,
  least: number,
  most: number,
  end: number,
  rare: Record<string, Mischief<F>> = table,
): Promise<void> {
  const { bed } = field;
  await sleep(bed.random.between(least, most));
  for (let count = 0; performance.now() < end; count += 1) {
    const tricks = count % 12 === 11 ? rare : table;
    const kind = bed.random.one(Object.keys(tricks));
    bed.fault(kind);
    // Its worker may be killed meanwhile; a topology that does not become whole again is a failure of its own.
    await tricks[kind]?.(field).catch((error: Error) => {
      if (/Waited in vain/.test(error.message)) bed.claim(`${kind}: ${error.message}`, false);
    });
    await sleep(bed.random.between(least, most));
  }
}
