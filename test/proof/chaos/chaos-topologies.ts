import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterServers } from '../../../tools/redis/cluster-servers.js';
import type { ServerProcess } from '../../../tools/redis/server-process.js';
import { SentinelServers } from '../../../tools/redis/sentinel-servers.js';
import type { Bed } from '../faults/harness/bed.js';
import { CLUSTER_LARGE, CLUSTER_WORDS } from './cluster-faults.js';
import { ServerFixture, type ChaosFixture } from './chaos-fixture.js';
import { LARGE, LOSSES, SMALL, TO_WORKERS, type Fault } from './faults.js';
import { SENTINEL_LARGE, SENTINEL_WORDS } from './sentinel-faults.js';
import { TopologyFixture } from './topology-fixture.js';

/** A topology, its workers, and what is done to them until the time is over. */
export interface ChaosTopology {
  readonly fixture: ChaosFixture;
  /** Injects faults until `end`, by {@link performance.now}. */
  disturb(end: number): Promise<unknown>;
  /** Everything works again. */
  calm(): Promise<void>;
  stop(): Promise<void>;
}

export const TOPOLOGIES: Record<string, (bed: Bed) => Promise<ChaosTopology>> = {
  single: async (bed) => {
    const server = await bed.server();
    server.measurePing(false);
    const fixture = new ServerFixture(bed, server);
    return {
      fixture,
      disturb: (end) =>
        Promise.all([
          some(fixture, SMALL, 50, 1_000, end),
          some(fixture, SMALL, 200, 2_000, end),
          some(fixture, LARGE, 200, 1_500, end, LOSSES),
        ]),
      calm: async () => {
        for (const proxy of fixture.proxies) proxy.pass();
        await sleep(200);
      },
      stop: async () => undefined,
    };
  },
  sentinel: async (bed) => {
    const servers = await SentinelServers.start();
    const fixture = new TopologyFixture(bed, servers, { ...servers.addresses });
    return inTopology(fixture, servers.servers, SENTINEL_LARGE, SENTINEL_WORDS);
  },
  cluster: async (bed) => {
    const servers = await ClusterServers.start();
    const fixture = new TopologyFixture(bed, servers, { cluster: servers.addresses });
    const { 'a slot is moved in one step': _inOneStep, ...large } = CLUSTER_LARGE;
    const possible = (await servers.atomicMove()) !== undefined;
    return inTopology(fixture, servers.nodes, possible ? CLUSTER_LARGE : large, CLUSTER_WORDS);
  },
};

function inTopology<S extends { settled(): Promise<void>; stop(): Promise<void> }>(
  fixture: TopologyFixture<S>,
  nodes: readonly ServerProcess[],
  large: Record<string, Fault<TopologyFixture<S>>>,
  words: Record<string, Fault<TopologyFixture<S>>>,
): ChaosTopology {
  const unwatch = fixture.watchRoles(nodes);
  return {
    fixture,
    disturb: (end) =>
      Promise.all([
        some(fixture, TO_WORKERS, 200, 2_000, end),
        some(fixture, words, 500, 3_000, end),
        some(fixture, large, 200, 1_500, end),
      ]),
    calm: () => fixture.servers.settled(),
    stop: () => {
      unwatch();
      if (fixture.surprises > 0)
        console.log(`promotions that nobody asked for, on a machine that is too busy: ${fixture.surprises}`);
      return fixture.servers.stop();
    },
  };
}

/** One thing after another, each at random; every twelfth is one of the `rare`. */
async function some<F extends ChaosFixture>(
  fixture: F,
  table: Record<string, Fault<F>>,
  least: number,
  most: number,
  end: number,
  rare: Record<string, Fault<F>> = table,
): Promise<void> {
  const { bed } = fixture;
  await sleep(bed.random.between(least, most));
  for (let count = 0; performance.now() < end; count += 1) {
    const faults = count % 12 === 11 ? rare : table;
    const kind = bed.random.one(Object.keys(faults));
    bed.fault(kind);
    // Its worker may be killed meanwhile; a topology that does not become whole again is a failure of its own.
    await faults[kind]?.(fixture).catch((error: Error) => {
      if (/Waited in vain/.test(error.message)) bed.claim(`${kind}: ${error.message}`, false);
    });
    await sleep(bed.random.between(least, most));
  }
}
