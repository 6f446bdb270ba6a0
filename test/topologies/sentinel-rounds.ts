import { createLockService } from '../../lib/locks/create-lock-service.js';
import { obstacleToTls } from '../../tools/redis/certificates.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';
import { monotonic } from '../proof/faults/harness/history.js';
import { overrun } from '../proof/time-bounds.js';
import { pass } from '../support/eventually.js';
import { ROWS } from './rows.js';
import { interruptionSince, Load, type LoadVerdict, type Redis } from './load.js';

// The old master learns 8 to 10 s after a planned failover that it is none.
const UNTIL_DEMOTED = 11_000;

/** A fault behind Sentinel: what is done, and what is required of a round. */
export interface SentinelRound {
  readonly fault: string;
  /** Which row of the table in docs/guarantees.md it shows. */
  readonly row: number;
  /** Whether it is a part of the rounds that are quick. */
  readonly quick?: boolean;
  /** The longest time in which nobody is granted a name, in milliseconds; the delays of the machine come on top. */
  readonly interruption: number;
  /** The part of it that is ours: from the moment on in which the first sentinel names the new master. */
  readonly ours?: number;
  /** The same for the names that the new master believes to be taken, by holds that have ended. */
  readonly blocked: number;
  readonly redis?: Redis;
  /** Begins when the load is on; resolves when nothing more is to happen, with when the new master was named. */
  run(servers: SentinelServers, load: Load): Promise<number | void>;
  /** Whether the load is started although one sentinel is frozen. */
  readonly frozenAtStart?: boolean;
  /** Whether everything goes over TLS. */
  readonly tls?: boolean;
  /** Whether these servers can do it. */
  possible?(servers: SentinelServers): Promise<boolean>;
}

const planned: SentinelRound = {
  fault: 'planned failover',
  row: ROWS.planned,
  quick: true,
  interruption: 500,
  blocked: 2_500,
  run: async (servers, load) => {
    load.fault('planned failover');
    await servers.plannedFailover();
    await load.join();
    await pass(UNTIL_DEMOTED);
  },
};

// A sentinel that is frozen may be the first that is asked, for this long; see sentinelCommandTimeout.
const FROZEN = 500;
const OURS = 500;
const KILLED = { ours: OURS, interruption: 1_000 + 2_500, blocked: 1_000 + 2_500 + 2_500 };

export const sentinelRounds: readonly SentinelRound[] = [
  planned,
  {
    fault: 'coordinated failover (SENTINEL FAILOVER COORDINATED)',
    row: ROWS.planned,
    // The master waits for a replica to acknowledge all it has, which it does once a second, and it goes on to hold back
    // writes until a sentinel sees the promotion, which looks once a second.
    interruption: 2_000 + OURS,
    ours: OURS,
    blocked: 2_500,
    possible: (servers) => servers.coordinates(),
    run: async (servers, load) => {
      const { port } = await servers.master();
      load.fault('coordinated failover');
      const done = servers.plannedFailover(servers.sentinels[0], 'COORDINATED');
      const namedAt = await namedWhen(servers, port);
      await done;
      await load.join();
      await pass(2_000);
      return namedAt;
    },
  },
  {
    ...KILLED,
    fault: 'the master is killed',
    row: ROWS.planned,
    quick: true,
    run: async (servers, load) => {
      const master = await servers.master();
      load.fault('kill');
      master.signal('SIGKILL');
      const namedAt = await namedWhen(servers, master.port);
      await servers.switched(master.port);
      await load.join();
      await pass(2_000);
      return namedAt;
    },
  },
  {
    ...KILLED,
    fault: 'the master is frozen for 3.5 s, and wakes',
    row: ROWS.planned,
    run: async (servers, load) => {
      const master = await servers.master();
      load.fault('freeze');
      master.signal('SIGSTOP');
      const woken = pass(3_500);
      const namedAt = await namedWhen(servers, master.port);
      await Promise.all([servers.switched(master.port), woken]);
      load.fault('thaw');
      master.signal('SIGCONT');
      await pass(3_000);
      return namedAt;
    },
  },
  { ...planned, fault: 'planned failover over TLS', quick: false, tls: true },
  {
    ...planned,
    fault: 'one sentinel is frozen at the start and during a planned failover',
    row: ROWS.frozenSentinel,
    quick: false,
    frozenAtStart: true,
    run: async (servers, load) => {
      const { port } = await servers.masterNamedBy(servers.sentinels[1]!);
      load.fault('planned failover with a frozen sentinel');
      await servers.sentinels[1]!.admin.call('SENTINEL', 'FAILOVER', 'mymaster');
      await servers.switched(port, servers.sentinels.slice(1));
      await pass(UNTIL_DEMOTED);
    },
  },
  {
    ...KILLED,
    ours: OURS + FROZEN,
    fault: 'one sentinel is frozen, and the master is killed',
    row: ROWS.frozenSentinel,
    frozenAtStart: true,
    run: async (servers, load) => {
      const master = await servers.masterNamedBy(servers.sentinels[1]!);
      load.fault('kill with a frozen sentinel');
      master.signal('SIGKILL');
      const namedAt = await namedWhen(servers, master.port, servers.sentinels.slice(1));
      await servers.switched(master.port, servers.sentinels.slice(1));
      await pass(2_000);
      return namedAt;
    },
  },
];

/** The point of time of the history in which the first of the sentinels names another master. */
async function namedWhen(
  servers: SentinelServers,
  before: number,
  answering = servers.sentinels,
): Promise<number> {
  await servers.named(before, answering);
  return monotonic();
}

/** As ioredis does it by itself: its users see two holders. */
export const control: SentinelRound = {
  ...planned,
  fault: 'control',
  redis: { failoverDetector: false },
};

export interface SentinelVerdict extends LoadVerdict {
  /** How long a service took until it was connected, in milliseconds. */
  readonly connected: number;
  /** The interruption from the moment on in which the first sentinel named the new master. */
  readonly ours?: number;
}

/** One round on servers of its own; undefined when these servers cannot do it. */
export async function runRound(round: SentinelRound): Promise<SentinelVerdict | undefined> {
  if (round.tls && obstacleToTls() !== undefined) return undefined;
  const servers = await SentinelServers.start({ tls: round.tls ?? false });
  try {
    if (round.possible && !(await round.possible(servers))) return undefined;
    const frozen = round.frozenAtStart ? servers.sentinels[0] : undefined;
    frozen?.signal('SIGSTOP');
    const began = performance.now();
    const first = createLockService({ redis: servers.addresses, log: { warn: () => undefined } });
    await first.ready();
    const connected = performance.now() - began;
    await first.close();
    const load = new Load({ ...servers.addresses, ...(round.redis as object) }, servers.servers);
    await load.begin();
    await pass(500);
    const namedAt = await round.run(servers, load);
    frozen?.signal('SIGCONT');
    const verdict = await load.end();
    const ours = namedAt === undefined ? {} : { ours: interruptionSince(verdict, namedAt) };
    return { ...verdict, ...ours, connected };
  } finally {
    await servers.stop();
  }
}

/** What a round did not keep to. */
export function complaints(round: SentinelRound, verdict: SentinelVerdict): string[] {
  const bound = (what: string, ms: number, most: number): string[] =>
    overrun(what, ms, most, verdict.lag, verdict.ping);
  return [
    ...verdict.violations,
    ...verdict.refusals,
    ...bound('the interruption', verdict.interruption, round.interruption),
    ...bound('the interruption after the new master was named', verdict.ours ?? 0, round.ours ?? Infinity),
    ...bound('a name was blocked', verdict.blocked, round.blocked),
    ...bound('the connection', verdict.connected, 1_000),
  ];
}
