import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { Lease } from '../../lib/locks/lock.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';
import { monotonic } from '../proof/faults/harness/history.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { pass, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { RoundTrips } from '../support/round-trips.js';

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
  nextAt: number;
  nextFence: number;
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
  const services: LockService[] = [];
  try {
    return await round(servers, proxies[0] as TcpProxy, leases, services);
  } finally {
    await Promise.all(services.map((each) => each.close()));
    await servers.stop();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
}

async function round(
  servers: SentinelServers,
  link: TcpProxy,
  leases: number,
  services: LockService[],
): Promise<LossyVerdict> {
  let backAt = Infinity;
  let settled = false;
  const open = (onWord: (word: string) => void): LockService => {
    const service = createLockService({ redis: servers.addresses, log: { warn: onWord }, shutdownGrace: 0 });
    services.push(service);
    return service;
  };
  const holder = open((word) => {
    if (/is back after/.test(word)) backAt = Math.min(backAt, monotonic());
    if (/it kept \d+ and lost \d+/.test(word)) settled = true;
  });
  const other = open(() => undefined);
  await Promise.all([holder.ready(), other.ready()]);

  const all: Held[] = [];
  const take = async (name: string, known: boolean): Promise<void> => {
    const lease = await holder.acquire(name, { ttl: TTL, wait: WAIT });
    const held: Held = { name, lease, known, lostAt: 0, nextAt: 0, nextFence: 0 };
    lease.signal.addEventListener('abort', () => (held.lostAt = monotonic()));
    all.push(held);
  };
  const names = (half: string): string[] =>
    Array.from({ length: leases / 2 }, (_, index) => `${half}-${index}`);
  await Promise.all(names('known').map((name) => take(name, true)));
  const ghostly = names('ghost').slice(0, MOST_GHOSTS);
  const released = await Promise.all(ghostly.map((name) => holder.acquire(name, { ttl: TTL, wait: WAIT })));
  const master = await servers.master();
  await master.admin.wait(2, 5_000);
  link.blackHole();
  await Promise.all(released.map((lease) => lease.release()));
  await Promise.all(names('unknown').map((name) => take(name, false)));

  // Somebody else waits for each of them.
  const refusals: string[] = [];
  const waiting = new AbortController();
  const waits = all.map(async (held) => {
    try {
      const next = await other.acquire(held.name, { ttl: TTL, wait: WAIT, signal: waiting.signal });
      held.nextAt = monotonic();
      held.nextFence = next.fence;
      await until('the holder has lost it', () => held.lostAt > 0 || !held.lease.held, TTL);
      await next.release();
    } catch (error) {
      if (!waiting.signal.aborted) refusals.push((error as Error).message);
    }
  });
  await pass(300);

  using lag = new Lag();
  master.signal('SIGKILL');
  await servers.switched(master.port);
  const switchedAt = monotonic();
  const ghosts = Promise.all(
    ghostly.map(async (name) => {
      const lease = await other.acquire(name, { ttl: TTL, wait: WAIT });
      const after = monotonic() - switchedAt;
      await lease.release();
      return after;
    }),
  );
  ghosts.catch((error: Error) => refusals.push(error.message)); // awaited below, unless the round fails before
  using roundTrips = new RoundTrips((await servers.master()).port);
  await until('the holder has asked for its leases', () => settled, 20_000);
  const unknown = all.filter(({ known }) => !known);
  await until(
    'the others are granted what was lost',
    () => unknown.every(({ nextAt }) => nextAt > 0),
    30_000,
  );
  await pass(300);
  const known = all.filter((held) => held.known);
  const kept = known.filter(({ lease }) => lease.held).length;
  waiting.abort();
  await Promise.all(waits);

  const taken = all.filter(({ nextAt }) => nextAt > 0);
  const lost = all.filter(({ lostAt }) => lostAt > 0);
  const most = (of: readonly number[]): number => of.reduce((a, b) => Math.max(a, b), 0);
  return {
    leases: all.length,
    known: known.length,
    kept,
    lost: lost.length,
    twoHolders: most(taken.map(({ nextAt, lostAt }) => lostAt - nextAt)),
    toldAfter: most(lost.map(({ lostAt }) => lostAt - backAt)),
    twoHoldersConnected: most(taken.map(({ nextAt, lostAt }) => lostAt - Math.max(nextAt, backAt))),
    roundTrip: roundTrips.max,
    lag: lag.max,
    ghosts: most(await ghosts),
    fencesRepeated: taken.filter(({ lease, nextFence }) => nextFence === lease.fence).length,
    fencesFallen: taken.filter(({ lease, nextFence }) => nextFence < lease.fence).length,
    refusals,
  };
}

/** What a lossy failover did not keep to. */
export function lossyComplaints(verdict: LossyVerdict): string[] {
  const { twoHoldersConnected, roundTrip, lag, known, kept, lost, leases, refusals } = verdict;
  const most = 2 * roundTrip + lag;
  const bad = [...refusals];
  if (twoHoldersConnected > most)
    bad.push(
      `two held a name for ${twoHoldersConnected.toFixed(0)} ms after the new connection, allowed are two round trips ` +
        `of ${roundTrip.toFixed(0)} ms and the lag of ${lag.toFixed(0)} ms`,
    );
  if (verdict.ghosts > GHOST + roundTrip + lag)
    bad.push(
      `a name that nobody holds was blocked for ${verdict.ghosts.toFixed(0)} ms, allowed are ${GHOST} ms`,
    );
  if (kept !== known) bad.push(`of ${known} leases that the new master knew, ${kept} were kept`);
  if (lost !== leases - known) bad.push(`${lost} leases were lost, not ${leases - known}`);
  if (verdict.fencesRepeated > 0) bad.push(`${verdict.fencesRepeated} fences were given twice`);
  if (verdict.fencesFallen > 0) bad.push(`${verdict.fencesFallen} fences fell`);
  return bad;
}
