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
/** Milliseconds after which nothing is on its way any more. */
const SETTLING = 300;

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

/** Bytes of heap. */
export interface Crowding {
  /** For each caller who waits for a name that this process holds: with `using`, and with `acquire`. */
  readonly waiting: number;
  readonly acquiring: number;
  /** In all, for names that were used once: few of them are remembered. */
  readonly idle: number;
}

/** Has so many callers wait for one name, and then uses so many names once. */
export async function crowding(url: string, count: number): Promise<Crowding> {
  const locks = createLockService({ redis: url, ttl: '30s', wait: '5m', shutdownGrace: 0 });
  const inLine = async (callers: number, call: () => Promise<Lease | void>): Promise<number> => {
    const lease = await locks.acquire('hot');
    const before = heap();
    const calls: Promise<Lease | void>[] = [];
    for (let caller = 0; caller < callers; caller += 1) calls.push(call());
    await sleep(SETTLING);
    const bytes = heap() - before;
    await lease.release();
    await Promise.all(calls.map((each) => each.then((granted) => void granted?.release())));
    return bytes;
  };
  const using = (): Promise<void> => locks.using('hot', async () => undefined);
  const acquire = (): Promise<Lease> => locks.acquire('hot');
  const names = async (prefix: string): Promise<void> => {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < count) await locks.using(`${prefix}:${next++}`, async () => undefined);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  };
  for (const call of [using, acquire]) await inLine(AT_ONCE, call); // what is compiled meanwhile is not counted
  const waiting = (await inLine(count, using)) / count;
  const acquiring = (await inLine(count, acquire)) / count;
  await names('warm-up');
  const before = heap();
  await names('idle');
  const idle = heap() - before;
  await locks.close();
  return { waiting, acquiring, idle };
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
