import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import { pass, until } from './eventually.js';
import type { ReplicatedRedis } from './replicated-redis.js';

const CALLERS = 8;
const QUIET = { warn: () => undefined };

/** What a failover showed that lost what its replica had not received. */
export interface LossyFailover {
  /** How many acquires were reported to their callers, and never released. */
  readonly reported: number;
  /** The names among them that the new master grants to somebody else. */
  readonly unknown: readonly string[];
  /** What is wrong about the fences of the new master. */
  readonly fences: readonly string[];
}

/**
 * Callers take one name after another while the link of a replica is cut, and go on while that replica is promoted. Then
 * somebody asks the new master for each of the names.
 */
export async function loseBy(
  servers: ReplicatedRedis,
  durability: LockServiceOptions['durability'],
  random: () => number,
): Promise<LossyFailover> {
  const [promoted] = servers.replicas;
  const common = { ttl: '30s', shutdownGrace: 0, log: QUIET } as const;
  const locks = createLockService({ ...common, redis: servers.master.url, durability });
  await locks.ready();
  const reported: { name: string; fence: number }[] = [];
  const stopped = new AbortController();
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let count = 0; !stopped.signal.aborted; count += 1) {
      const name = `${caller}:${count}`;
      const lease = await locks.acquire(name, { wait: '5s', signal: stopped.signal }).catch(() => undefined);
      if (lease) reported.push({ name, fence: lease.fence });
    }
  });
  await until('some are reported', () => reported.length >= 4 * CALLERS);
  await pass(random() * 40);
  servers.cut(promoted!);
  await pass(random() * 30);
  await servers.promote(promoted!); // the old master goes on as one: that is what loses
  await pass(10 + random() * 30);
  stopped.abort();
  await Promise.all(callers);

  const others = createLockService({ ...common, redis: promoted!.server.url });
  const [unknown, fences]: [string[], string[]] = [[], []];
  await Promise.all(
    reported.map(async ({ name, fence }) => {
      let lease = await others.tryAcquire(name);
      if (lease) unknown.push(name);
      else {
        await others.revoke(name, { reason: 'the proof goes on', force: true });
        lease = await others.acquire(name);
      }
      if (lease.fence <= fence) fences.push(`${name}: ${lease.fence} after ${fence}`);
    }),
  );
  await Promise.all([others.close(), locks.close()]);
  return { reported: reported.length, unknown, fences };
}
