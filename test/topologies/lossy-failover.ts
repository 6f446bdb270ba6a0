import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { Lease } from '../../lib/locks/lock.js';
import type { RedisSource } from '../../lib/store/redis/client-recipe.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';
import { monotonic } from '../proof/faults/harness/history.js';
import { overrun } from '../proof/time-bounds.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { pass, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { RoundTrips } from '../support/round-trips.js';
import { LossyWaiter, type WaiterReport } from './lossy-waiter.js';

const TTL = 30_000;
const WAIT = 60_000;
// So long may a name be blocked that nobody holds.
const GHOST = 2_500;

/** What came of leases that only the old master knew. Times are milliseconds. */
export interface LossyVerdict {
  readonly leases: number;
  /** How many of them the new master knew, and how many of those the holder kept. */
  readonly known: number;
  readonly kept: number;
  readonly lost: number;
  /** The longest time in which two held one name. */
  readonly twoHolders: number;
  /** From the holder's new connection to the last loss that it told: until then it cannot know. */
  readonly toldAfter: number;
  /** The longest time in which two held one name, as far as the holder had its new connection. */
  readonly twoHoldersConnected: number;
  readonly roundTrip: number;
  readonly lag: number;
  /** The longest time until names were granted that were released to the old master alone. */
  readonly ghosts: number;
  readonly fencesRepeated: number;
  readonly fencesFallen: number;
  readonly refusals: readonly string[];
}

interface Held {
  readonly name: string;
  readonly lease: Lease;
  readonly known: boolean;
  lostAt: number;
}

const MOST_GHOSTS = 50;

/**
 * Half of the leases reach the replicas; then the replicas are cut off, and the other half is acknowledged by the master
 * alone. It is killed, and a replica promoted, while another process waits for every name. A few more leases reach the
 * replicas and are released to the old master alone: the new one believes that they are held.
 */
export async function lossyFailover(leases: number): Promise<LossyVerdict> {
  const proxies: TcpProxy[] = [];
  const linkTo = async (port: number): Promise<number> => {
    const proxy = await TcpProxy.start(port);
    proxies.push(proxy);
    return proxy.port;
  };
  const servers = await SentinelServers.start({ linkTo });
  const holder = new Holder(servers.addresses);
  const waiter = await LossyWaiter.start(servers.addresses);
  try {
    return await round(servers, proxies[0] as TcpProxy, leases, holder, waiter);
  } finally {
    waiter.stop();
    await holder.locks.close();
    await servers.stop();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
}

/** The process that holds, and what it said of the failover. */
class Holder {
  backAt = Infinity;
  settled = false;
  readonly locks: LockService;

  constructor(redis: RedisSource) {
    const log = { warn: (word: string) => this.hear(word) };
    this.locks = createLockService({ redis, log, shutdownGrace: 0 });
  }

  private hear(word: string): void {
    if (/is back after/.test(word)) this.backAt = Math.min(this.backAt, monotonic());
    if (/it kept \d+ and lost \d+/.test(word)) this.settled = true;
  }
}

async function round(
  servers: SentinelServers,
  link: TcpProxy,
  leases: number,
  holder: Holder,
  waiter: LossyWaiter,
): Promise<LossyVerdict> {
  const { locks } = holder;
  await locks.ready();

  const all: Held[] = [];
  const take = async (name: string, known: boolean): Promise<void> => {
    const lease = await locks.acquire(name, { ttl: TTL, wait: WAIT });
    const held: Held = { name, lease, known, lostAt: 0 };
    lease.signal.addEventListener('abort', () => (held.lostAt = monotonic()));
    all.push(held);
  };
  const names = (half: string): string[] =>
    Array.from({ length: leases / 2 }, (_, index) => `${half}-${index}`);
  await Promise.all(names('known').map((name) => take(name, true)));
  const ghostly = names('ghost').slice(0, MOST_GHOSTS);
  const released = await Promise.all(ghostly.map((name) => locks.acquire(name, { ttl: TTL, wait: WAIT })));
  const master = await servers.master();
  await master.admin.wait(2, 5_000);
  link.blackHole();
  await Promise.all(released.map((lease) => lease.release()));
  await Promise.all(names('unknown').map((name) => take(name, false)));

  const enough = waiter.said();
  const wait = all.map(({ name }) => name);
  waiter.tell({ wait, ttl: TTL, timeout: WAIT, enough: leases / 2 });
  await pass(300);

  using lag = new Lag();
  master.signal('SIGKILL');
  await servers.switched(master.port);
  const switchedAt = monotonic();
  waiter.tell({ ghosts: ghostly });
  using roundTrips = new RoundTrips((await servers.master()).port);
  await until('the holder has asked for its leases', () => holder.settled, 20_000);
  await enough;
  await pass(300);
  const known = all.filter((held) => held.known);
  const kept = known.filter(({ lease }) => lease.held).length;
  const said = waiter.said();
  waiter.tell('end');
  const { grants, ghosts, refusals } = (await said) as WaiterReport;

  const nexts = new Map(grants.map((grant) => [grant.name, grant]));
  const taken = all.flatMap((held) => {
    const next = nexts.get(held.name);
    return next ? [{ ...held, next }] : [];
  });
  const lost = all.filter(({ lostAt }) => lostAt > 0);
  const most = (of: readonly number[]): number => of.reduce((a, b) => Math.max(a, b), 0);
  return {
    leases: all.length,
    known: known.length,
    kept,
    lost: lost.length,
    twoHolders: most(taken.map(({ next, lostAt }) => lostAt - next.at)),
    toldAfter: most(lost.map(({ lostAt }) => lostAt - holder.backAt)),
    twoHoldersConnected: most(taken.map(({ next, lostAt }) => lostAt - Math.max(next.at, holder.backAt))),
    roundTrip: roundTrips.max,
    lag: lag.max,
    ghosts: most(ghosts.map(({ at }) => at - switchedAt)),
    fencesRepeated: taken.filter(({ lease, next }) => next.fence === lease.fence).length,
    fencesFallen: taken.filter(({ lease, next }) => next.fence < lease.fence).length,
    refusals,
  };
}

/** What a lossy failover did not keep to. */
export function lossyComplaints(verdict: LossyVerdict): string[] {
  const { twoHoldersConnected, roundTrip, lag, known, kept, lost, leases, refusals } = verdict;
  const bad = [
    ...refusals,
    ...overrun('two held a name after the new connection', twoHoldersConnected, 0, roundTrip, roundTrip, lag),
    ...overrun('a name that nobody holds was blocked', verdict.ghosts, GHOST, roundTrip, lag),
  ];
  if (kept !== known) bad.push(`of ${known} leases that the new master knew, ${kept} were kept`);
  if (lost !== leases - known) bad.push(`${lost} leases were lost, not ${leases - known}`);
  if (verdict.fencesRepeated > 0) bad.push(`${verdict.fencesRepeated} fences were given twice`);
  if (verdict.fencesFallen > 0) bad.push(`${verdict.fencesFallen} fences fell`);
  return bad;
}
