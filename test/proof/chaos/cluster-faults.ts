import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterServers } from '../../../tools/redis/cluster-servers.js';
import type { ServerProcess } from '../../../tools/redis/server-process.js';
import { KINDS, NAMES } from './chaos-fixture.js';
import type { Fault } from './faults.js';
import type { TopologyFixture } from './topology-fixture.js';

type Fixture = TopologyFixture<ClusterServers>;
type Faults = Record<string, Fault<Fixture>>;

const masterIn = async ({ servers, bed }: Fixture): Promise<ServerProcess> =>
  bed.random.one(await servers.mastersNow());

/** The slot of a name that is in use, its master, and another one. */
async function move(fixture: Fixture): Promise<{ slot: number; target: ServerProcess; back: ServerProcess }> {
  const { servers, bed } = fixture;
  const name = bed.random.one([...NAMES, KINDS.readWrite, KINDS.semaphore]);
  const slot = await servers.slotOf(`lock:${name}`);
  const back = await servers.masterOf(slot);
  const target = bed.random.one((await servers.mastersNow()).filter((each) => each !== back));
  return { slot, target, back };
}

/** What is done to masters and slots; each ends when the cluster is whole again. */
export const CLUSTER_LARGE: Faults = {
  'coordinated failover': async (fixture) => {
    await fixture.promoting(async () => {
      await fixture.servers.failover(await masterIn(fixture));
      await fixture.servers.settled();
    });
  },
  'a master is killed': async (fixture) => {
    const { servers, bed } = fixture;
    const master = await masterIn(fixture);
    const replica = await servers.replicaOf(master);
    await fixture.losing(async () => {
      await master.kill();
      await servers.promoted(replica);
    });
    await sleep(bed.random.between(0, 1_000));
    await master.boot();
    await servers.settled();
  },
  'a master is frozen, replaced, and wakes': async (fixture) => {
    const { servers, bed } = fixture;
    const master = await masterIn(fixture);
    const replica = await servers.replicaOf(master);
    await fixture.losing(async () => {
      servers.freeze(master);
      await servers.promoted(replica);
      await sleep(bed.random.between(0, 2_000));
      servers.thaw(master);
    });
    await servers.settled();
  },
  'a master is frozen for a moment': async (fixture) => {
    const master = await masterIn(fixture);
    fixture.servers.freeze(master);
    await sleep(fixture.bed.random.between(50, 600));
    fixture.servers.thaw(master);
  },
  'a slot is moved key by key': async (fixture) => {
    const { slot, target } = await move(fixture);
    await fixture.servers.moveSlot(slot, target);
  },
  'a slot is left half-migrated': async (fixture) => {
    const { servers, bed } = fixture;
    const { slot, target } = await move(fixture);
    await servers.beginMove(slot, target);
    await sleep(bed.random.between(0, 1_000));
    await servers.moveKeys(slot, target, 1);
    await sleep(bed.random.between(0, 2_000));
    await servers.moveKeys(slot, target);
    await servers.endMove(slot, target);
    await servers.settled();
  },
  'a slot is moved in one step': async (fixture) => {
    const { servers } = fixture;
    if ((await servers.atomicMove()) === undefined) return;
    const { slot, target } = await move(fixture);
    await servers.moveAtomically(slot, slot, target);
  },
};

/** What a master is told, while other things happen. */
export const CLUSTER_WORDS: Faults = {
  'SCRIPT FLUSH': (fixture) => fixture.tell(() => masterIn(fixture), 'SCRIPT', 'FLUSH'),
  'CLIENT KILL': (fixture) =>
    fixture.tell(
      () => masterIn(fixture),
      'CLIENT',
      'KILL',
      'TYPE',
      fixture.bed.random.one(['normal', 'pubsub']),
    ),
  'CLIENT PAUSE': (fixture) =>
    fixture.tell(() => masterIn(fixture), 'CLIENT', 'PAUSE', fixture.bed.random.whole(50, 500), 'ALL'),
};
