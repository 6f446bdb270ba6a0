import { setTimeout as sleep } from 'node:timers/promises';
import { createLockService, type Lease } from '../../lib/index.js';

/** What holding many leases took of the process that held them. */
export interface Keeping {
  readonly lost: number;
  /** Processor seconds and seconds of the time in which nothing but renewals happened. */
  readonly cpu: number;
  readonly seconds: number;
  readonly bytesPerLease: number;
  readonly acquiredPerSecond: number;
}

const AT_ONCE = 500;

/** Takes so many leases, and keeps them for `ms`; tells `started` when the last one is there. */
export async function keepLeases(
  url: string,
  leases: number,
  ms: number,
  started: () => void,
): Promise<Keeping> {
  const locks = createLockService({ redis: url, ttl: '10s', shutdownGrace: 0 });
  await (await locks.acquire('first')).release();
  const before = heap();
  const held: Lease[] = [];
  const begun = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < leases) held.push(await locks.acquire(`lease:${next++}`));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const acquiredPerSecond = (leases * 1_000) / (performance.now() - begun);
  const bytesPerLease = (heap() - before) / leases;
  started();
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  await sleep(ms);
  const used = process.cpuUsage(cpu);
  const seconds = (performance.now() - start) / 1_000;
  const lost = held.filter((lease) => !lease.held).length;
  await locks.close();
  return { lost, cpu: (used.user + used.system) / 1e6, seconds, bytesPerLease, acquiredPerSecond };
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
