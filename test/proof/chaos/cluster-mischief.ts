import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterServers } from '../../../tools/redis/cluster-servers.js';
import type { ServerProcess } from '../../../tools/redis/server-process.js';
import { KINDS, NAMES } from './field.js';
import type { Mischief } from './mischief.js';
import type { TopologyField } from './topology-field.js';

type Field = TopologyField<ClusterServers>;
type Tricks = Record<string, Mischief<Field>>;

const masterIn = async ({ servers, bed }: Field): Promise<ServerProcess> =>
  bed.random.one(await servers.mastersNow());

/** The slot of a name that is in use, its master, and another one. */
async function move(field: Field): Promise<{ slot: number; target: ServerProcess; back: ServerProcess }> {
  const { servers, bed } = field;
  const name = bed.random.one([...NAMES, KINDS.readWrite, KINDS.semaphore]);
  const slot = await servers.slotOf(`lock:${name}`);
  const back = await servers.masterOf(slot);
  const target = bed.random.one((await servers.mastersNow()).filter((each) => each !== back));
  return { slot, target, back };
}

/** What is done to masters and slots; each ends when the cluster is whole again. */
export const CLUSTER_LARGE: Tricks = {
  'coordinated failover': async (field) => {
    await field.servers.failover(await masterIn(field));
    await field.servers.settled();
  },
  'a master is killed': async (field) => {
    const { servers, bed } = field;
    const master = await masterIn(field);
    const replica = await servers.replicaOf(master);
    await field.losing(async () => {
      await master.kill();
      await servers.promoted(replica);
    });
    await sleep(bed.random.between(0, 1_000));
    await master.boot();
    await servers.settled();
  },
  'a master is frozen, replaced, and wakes': async (field) => {
    const { servers, bed } = field;
    const master = await masterIn(field);
    const replica = await servers.replicaOf(master);
    await field.losing(async () => {
      servers.frozen.add(master);
      master.signal('SIGSTOP');
      await servers.promoted(replica);
      await sleep(bed.random.between(0, 2_000));
      master.signal('SIGCONT');
      servers.frozen.delete(master);
    });
    await servers.settled();
  },
  'a master is frozen for a moment': async (field) => {
    const master = await masterIn(field);
    field.servers.frozen.add(master);
    master.signal('SIGSTOP');
    await sleep(field.bed.random.between(50, 600));
    master.signal('SIGCONT');
    field.servers.frozen.delete(master);
  },
  'a slot is moved key by key': async (field) => {
    const { slot, target } = await move(field);
    await field.servers.moveSlot(slot, target);
  },
  'a slot is left half-migrated': async (field) => {
    const { servers, bed } = field;
    const { slot, target } = await move(field);
    await servers.beginMove(slot, target);
    await sleep(bed.random.between(0, 1_000));
    await servers.moveKeys(slot, target, 1);
    await sleep(bed.random.between(0, 2_000));
    await servers.moveKeys(slot, target);
    await servers.endMove(slot, target);
    await servers.settled();
  },
  'a slot is moved in one step': async (field) => {
    const { servers } = field;
    if ((await servers.atomicMove()) === undefined) return;
    const { slot, target } = await move(field);
    await servers.moveAtomically(slot, slot, target);
  },
};

/** What a master is told, while other things happen. */
export const CLUSTER_WORDS: Tricks = {
  'SCRIPT FLUSH': (field) => field.tell(() => masterIn(field), 'SCRIPT', 'FLUSH'),
  'CLIENT KILL': (field) =>
    field.tell(() => masterIn(field), 'CLIENT', 'KILL', 'TYPE', field.bed.random.one(['normal', 'pubsub'])),
  'CLIENT PAUSE': (field) =>
    field.tell(() => masterIn(field), 'CLIENT', 'PAUSE', field.bed.random.whole(50, 500), 'ALL'),
};
