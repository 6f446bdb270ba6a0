import { createLockService } from '../../lib/locks/create-lock-service.js';
import { obstacleToTls } from '../../tools/redis/certificates.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';
import { pass } from '../support/eventually.js';
import { ROWS } from './rows.js';
import { Load, type LoadVerdict, type Redis } from './load.js';

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
  /** The same for the names that the new master believes to be taken, by holds that have ended. */
  readonly blocked: number;
  readonly redis?: Redis;
  /** Begins when the load is on; resolves when nothing more is to happen. */
  run(servers: SentinelServers, load: Load): Promise<void>;
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

const KILLED = { interruption: 1_000 + 2_500, blocked: 1_000 + 2_500 + 2_500 };

export const sentinelRounds: readonly SentinelRound[] = [
  planned,
  {
    fault: 'coordinated failover (SENTINEL FAILOVER COORDINATED)',
    row: ROWS.planned,
    interruption: 2_000,
    blocked: 2_500,
    possible: (servers) => servers.coordinates(),
    run: async (servers, load) => {
      load.fault('coordinated failover');
      await servers.plannedFailover(servers.sentinels[0], 'COORDINATED');
      await load.join();
      await pass(2_000);
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
      await servers.switched(master.port);
      await load.join();
      await pass(2_000);
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
      await Promise.all([servers.switched(master.port), pass(3_500)]);
      load.fault('thaw');
      master.signal('SIGCONT');
      await pass(3_000);
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
    fault: 'one sentinel is frozen, and the master is killed',
    row: ROWS.frozenSentinel,
    frozenAtStart: true,
    run: async (servers, load) => {
      const master = await servers.masterNamedBy(servers.sentinels[1]!);
      load.fault('kill with a frozen sentinel');
      master.signal('SIGKILL');
      await servers.switched(master.port, servers.sentinels.slice(1));
      await pass(2_000);
    },
  },
];

/** As ioredis does it by itself: its users see two holders. */
export const control: SentinelRound = {
  ...planned,
  fault: 'control',
  redis: { failoverDetector: false },
};

export interface SentinelVerdict extends LoadVerdict {
  /** How long a service took until it was connected, in milliseconds. */
  readonly connected: number;
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
    await round.run(servers, load);
    frozen?.signal('SIGCONT');
    return { ...(await load.end()), connected };
  } finally {
    await servers.stop();
  }
}

/** What a round did not keep to. */
export function complaints(round: SentinelRound, verdict: SentinelVerdict): string[] {
  const delays = verdict.lag + verdict.ping;
  const bound = (what: string, ms: number, most: number): string[] =>
    ms > most + delays ? [`${what}: ${ms.toFixed(0)} ms, allowed are ${most} ms and the delays`] : [];
  return [
    ...verdict.violations,
    ...verdict.refusals,
    ...bound('the interruption', verdict.interruption, round.interruption),
    ...bound('a name was blocked', verdict.blocked, round.blocked),
    ...bound('the connection', verdict.connected, 1_000),
  ];
}
