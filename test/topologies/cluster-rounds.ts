import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockError } from '../../lib/base/errors.js';
import { obstacleToTls } from '../../tools/redis/certificates.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import type { ServerProcess } from '../../tools/redis/server-process.js';
import { monotonic } from '../proof/faults/harness/history.js';
import { overrun } from '../proof/time-bounds.js';
import { pass } from '../support/eventually.js';
import { ROWS } from './rows.js';
import { Load, type LoadVerdict } from './load.js';
import type { NamedSlot } from './names-by-node.js';
import { namesByNode } from './names-by-node.js';

/** What a round needs to know of names: those of the master to which things are done, and those of the others. */
export interface Field {
  readonly servers: ClusterServers;
  readonly load: Load;
  readonly victim: ServerProcess;
  readonly other: ServerProcess;
  readonly victims: readonly NamedSlot[];
  readonly others: readonly NamedSlot[];
}

/** What the round itself saw; points of time are those of the history. */
export interface Seen {
  /** When the victim's replica was its successor. */
  readonly promotedAt?: number;
  /** How many connections for notices led to the victim. */
  readonly listeners?: number;
  /** What callers were told who did not wait for long. */
  readonly impatient?: Impatient;
}

export interface Impatient {
  readonly granted: number;
  /** Each error once, by its code and its words. */
  readonly refusals: readonly string[];
}

export interface ClusterRound {
  readonly fault: string;
  /** Which row of the table in docs/guarantees.md it shows. */
  readonly row: number;
  /** Whether it is a part of the rounds that are quick. */
  readonly quick?: boolean;
  /** Whether leases may be lost: those that end while nobody has their names. */
  readonly loses?: boolean;
  /** The longest gap of a name of the victim: from its last holder to the next, or from the promotion on. Milliseconds. */
  readonly victims: number;
  readonly from: 'the gap' | 'promotion';
  /** The longest gap of a name of another master. */
  readonly others: number;
  /** @default 'the gap' */
  readonly othersFrom?: 'promotion';
  /** Whether all slots stop when some have no master. @default false */
  readonly fullCoverage?: boolean;
  run(field: Field): Promise<Seen>;
  /** Whether everything goes over TLS. */
  readonly tls?: boolean;
  possible?(servers: ClusterServers): Promise<boolean>;
}

/** How many processes of ours hear their notices from the node. */
async function listenersAt({ admin }: ServerProcess): Promise<number> {
  const list = String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
  return list.split('\n').filter((line) => / name=lock@/.test(line)).length;
}

async function killed({ servers, load, victim }: Field): Promise<Seen> {
  const replica = await servers.replicaOf(victim);
  const listeners = await listenersAt(victim);
  load.fault('kill');
  victim.signal('SIGKILL');
  await servers.promoted(replica);
  const promotedAt = monotonic();
  await pass(3_000);
  return { promotedAt, listeners };
}

/** Callers who wait for a moment only, while a master is away and the others say CLUSTERDOWN. */
async function clusterDown(field: Field): Promise<Seen> {
  const { servers, victim, other } = field;
  const locks = createLockService({ redis: { cluster: servers.addresses }, log: { warn: () => undefined } });
  // Each name is asked for once: of one that was used, the release may not have been read.
  const namesAt = (node: ServerProcess): Promise<string[]> =>
    Promise.all(Array.from({ length: 100 }, (_, index) => servers.nameAt(node, `impatient-${index}`)));
  const both = await Promise.all([victim, other].map(namesAt));
  const refusals = new Set<string>();
  let [granted, going] = [0, true];
  const ask = async (names: readonly string[]): Promise<void> => {
    for (const name of names) {
      if (!going) return;
      await locks
        .using(name, () => (granted += 1), { wait: 300 })
        .catch((error: LockError) => {
          refusals.add(`${error.code} ${error.message}`);
        });
      await pass(80);
    }
  };
  try {
    await locks.ready();
    const asking = both.map(ask);
    const seen = await killed(field);
    going = false;
    await Promise.all(asking);
    return { ...seen, impatient: { granted, refusals: [...refusals] } };
  } finally {
    going = false;
    await locks.close();
  }
}

async function frozen({ servers, load, victim }: Field): Promise<Seen> {
  const replica = await servers.replicaOf(victim);
  const listeners = await listenersAt(victim);
  load.fault('freeze');
  servers.freeze(victim);
  await servers.promoted(replica);
  const promotedAt = monotonic();
  await pass(1_500);
  load.fault('thaw');
  servers.thaw(victim);
  await pass(3_000);
  return { promotedAt, listeners };
}

const coordinated: ClusterRound = {
  fault: 'coordinated failover (CLUSTER FAILOVER)',
  row: ROWS.cluster,
  quick: true,
  victims: 2_000,
  from: 'the gap',
  others: 500,
  run: async ({ servers, load, victim }) => {
    load.fault('coordinated failover');
    await servers.failover(victim);
    await load.join();
    await pass(3_000);
    return {};
  },
};

// As long at least do the others say CLUSTERDOWN, between the loss of a master and its successor.
const STOPPED = 300;

export const clusterRounds: readonly ClusterRound[] = [
  coordinated,
  { ...coordinated, fault: 'coordinated failover over TLS', quick: false, tls: true },
  {
    fault: 'a master is killed',
    row: ROWS.cluster,
    quick: true,
    loses: true,
    victims: 500,
    from: 'promotion',
    others: 500,
    run: killed,
  },
  {
    fault: 'a master is killed, and the others stop, too (full coverage, CLUSTERDOWN)',
    row: ROWS.clusterDown,
    loses: true,
    fullCoverage: true,
    victims: 500,
    from: 'promotion',
    others: 500,
    othersFrom: 'promotion',
    run: clusterDown,
  },
  {
    fault: 'a master is frozen, replaced, and wakes',
    row: ROWS.cluster,
    loses: true,
    victims: 500,
    from: 'promotion',
    others: 20,
    run: frozen,
  },
  {
    fault: 'slots are moved, key by key, to another master and back',
    row: ROWS.cluster,
    quick: true,
    victims: 500,
    from: 'the gap',
    others: 500,
    run: async ({ servers, load, victim, other, victims }) => {
      for (const target of [other, victim])
        for (const { slot } of victims) {
          load.fault('slot moved');
          await servers.moveSlot(slot, target);
        }
      await pass(1_000);
      return {};
    },
  },
  {
    fault: 'slots are left half-migrated for two seconds',
    row: ROWS.migration,
    victims: 500,
    from: 'the gap',
    others: 500,
    run: async ({ servers, load, other, victims }) => {
      for (const { slot } of victims) {
        load.fault('slot half moved');
        await servers.beginMove(slot, other);
        await servers.moveKeys(slot, other, 1);
      }
      await load.join();
      await pass(2_000);
      for (const { slot } of victims) {
        await servers.moveKeys(slot, other);
        await servers.endMove(slot, other);
      }
      await pass(1_000);
      return {};
    },
  },
  {
    fault: 'slots are moved in one step (atomic migration)',
    row: ROWS.migration,
    victims: 2_000,
    from: 'the gap',
    others: 500,
    possible: async (servers) => (await servers.atomicMove()) !== undefined,
    run: async ({ servers, load, other, victims }) => {
      for (const { slot } of victims) {
        load.fault('atomic migration');
        await servers.moveAtomically(slot, slot, other);
      }
      await pass(1_000);
      return {};
    },
  },
];

export interface ClusterVerdict extends LoadVerdict {
  /** The longest gaps of the victim's names, from the promotion on where the round says so, and of other names. */
  readonly victims: number;
  readonly others: number;
  readonly promotion?: number;
  readonly listeners?: number;
  readonly impatient?: Impatient;
  /** The longest gap of another name, wherever it begins. */
  readonly stopped: number;
}

/** One round on servers of its own; undefined when these servers cannot do it. */
export async function runClusterRound(round: ClusterRound): Promise<ClusterVerdict | undefined> {
  if (round.tls && obstacleToTls() !== undefined) return undefined;
  const servers = await ClusterServers.start({
    tls: round.tls ?? false,
    fullCoverage: round.fullCoverage ?? false,
  });
  try {
    if (round.possible && !(await round.possible(servers))) return undefined;
    const [victim, other] = (await servers.mastersNow()) as [ServerProcess, ServerProcess];
    const byNode = await namesByNode(servers, 4);
    const victims = byNode.get(victim) ?? [];
    const others = [...byNode].flatMap(([node, names]) => (node === victim ? [] : names.slice(0, 2)));
    const names = [...victims, ...others].map(({ name }) => name);
    const load = new Load(
      { cluster: servers.addresses, options: { redisOptions: servers.connection } },
      servers.nodes,
      names,
    );
    await load.begin();
    await pass(500);
    const began = monotonic();
    const { promotedAt, listeners, impatient } = await round.run({
      servers,
      load,
      victim,
      other,
      victims,
      others,
    });
    const verdict = await load.end();
    const since = round.from === 'promotion' ? promotedAt : undefined;
    const gapOf = ({ name }: NamedSlot, from?: number): number => {
      const { ms = 0, until = 0 } = verdict.gaps.get(name) ?? {};
      return from === undefined ? ms : Math.max(0, Math.min(ms, until - from));
    };
    return {
      ...verdict,
      victims: Math.max(...victims.map((each) => gapOf(each, since))),
      others: Math.max(...others.map((each) => gapOf(each, round.othersFrom && promotedAt))),
      stopped: Math.max(...others.map((each) => gapOf(each))),
      ...(promotedAt === undefined ? {} : { promotion: promotedAt - began }),
      ...(listeners === undefined ? {} : { listeners }),
      ...(impatient === undefined ? {} : { impatient }),
    };
  } finally {
    await servers.stop();
  }
}

/** What a round did not keep to. */
export function clusterComplaints(round: ClusterRound, verdict: ClusterVerdict): string[] {
  const bound = (what: string, ms: number, most: number): string[] =>
    overrun(what, ms, most, verdict.lag, verdict.ping);
  return [
    ...verdict.violations,
    ...verdict.refusals,
    ...(verdict.losses > 0 && !round.loses ? [`${verdict.losses} leases were lost`] : []),
    ...bound(`names of the victim, counted from ${round.from}`, verdict.victims, round.victims),
    ...bound('names of other masters', verdict.others, round.others),
    ...dishonest(verdict.impatient),
    ...(round.fullCoverage && verdict.stopped < STOPPED ? ['the names of other masters were served on'] : []),
  ];
}

/**
 * What callers were told who did not wait for long, and should not have been: that a free name is held, or nothing at all.
 * Where an answer comes late, at the end of a wait, or the node has just served somebody else, the store works: then
 * LOCK_BUSY without a holder is right.
 */
function dishonest(impatient: Impatient | undefined): string[] {
  if (!impatient) return [];
  const { granted, refusals } = impatient;
  const others = refusals.filter((each) => !each.startsWith('LOCK_STORE '));
  const wrong = others.filter((each) => !each.startsWith('LOCK_BUSY ') || / held by /.test(each));
  return [
    ...wrong.map((each) => `a caller was told ${each}`),
    ...(others.length * 4 > refusals.length
      ? [`${others.length} of ${refusals.length} callers were not told that the cluster does not serve`]
      : []),
    ...(refusals.length === 0 ? ['no caller was told that the cluster does not serve'] : []),
    ...(granted === 0 ? ['no caller was granted a free name'] : []),
  ];
}
