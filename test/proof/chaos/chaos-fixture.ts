import { setTimeout as sleep } from 'node:timers/promises';
import type { Bed } from '../faults/harness/bed.js';
import type { FaultServer } from '../faults/harness/fault-server.js';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import type { WorkerSetup } from '../faults/harness/worker-commands.js';
import type { WorkerProcess } from '../faults/harness/worker-process.js';

export const TTL = 1_500;
const WORKERS = 4;
export const NAMES = ['red', 'green', 'blue'] as const;
/** The names of the other kinds; latches have names of their own. */
export const KINDS = { readWrite: 'prices', semaphore: 'printer', capacity: 3 } as const;

/** Names whose holds are handed over from process to process. */
export const RELAY = { parcel: 'parcel', trolley: 'trolley' } as const;

/** How the worker in a place finds the servers. */
export type Connection = Pick<WorkerSetup, 'url' | 'redis'>;

/** Some processes that take and give the same few names. */
export class ChaosFixture {
  /** In the place of each a new one comes when it dies. */
  readonly workers: WorkerProcess[] = [];
  private readonly churning = new Set<Promise<unknown>>();
  private born = 0;

  constructor(
    readonly bed: Bed,
    private readonly connectionOf: (place: number) => Connection,
  ) {}

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS }, (_, place) => this.hire(place)));
  }

  async hire(place: number): Promise<void> {
    const label = `w${(this.born += 1)}`;
    const { url, ...more } = this.connectionOf(place);
    const worker = await this.bed.worker(label, url, { shutdownGrace: 200, ...more });
    this.workers[place] = worker;
    this.watch(
      label,
      worker.call('churn', {
        names: NAMES,
        ttl: TTL,
        wait: 8_000,
        hold: [0, 30],
        rest: [0, 15],
        longest: 2 * TTL,
        callers: 3,
        counts: true,
        nests: true,
        lingers: true,
        seed: this.bed.random.whole(0, 1e9),
      }),
      worker,
    );
    this.watch(
      label,
      worker.call('churnKinds', { ...KINDS, ttl: TTL, seed: this.bed.random.whole(0, 1e9) }),
      worker,
    );
    this.churnRelay(label, worker);
  }

  private churnRelay(label: string, worker: WorkerProcess): void {
    const seed = this.bed.random.whole(0, 1e9);
    this.watch(label, worker.call('churnRelay', { ...RELAY, ttl: TTL, seed }), worker);
  }

  /** Without faults a latch opens for everybody. */
  async passLatch(wait: number): Promise<void> {
    const alive = this.bed.workers.filter((worker) => worker.alive);
    const passed = await Promise.all(
      alive.map((worker) => worker.call('passLatch', 'after all faults', alive.length, wait)),
    );
    this.bed.claim(`a latch opens for all after all faults: ${String(passed)}`, passed.every(Boolean));
  }

  private watch(label: string, churn: Promise<unknown>, worker: WorkerProcess): void {
    const done: Promise<unknown> = churn
      .catch((error: Error) => this.bed.claim(`${label}: ${error.message}`, !worker.alive)) // killed on purpose
      .finally(() => this.churning.delete(done));
    this.churning.add(done);
  }

  async stop(): Promise<void> {
    const alive = this.bed.workers.filter((worker) => worker.alive); // two may have come in one place
    await Promise.all(alive.map((worker) => worker.call('stopChurn').catch(() => undefined)));
    await Promise.race([Promise.all(this.churning), sleep(10_000)]);
    this.bed.claim(`${this.churning.size} workers do not stop`, this.churning.size === 0);
  }
}

/** The same at one server, each process behind a network of its own. */
export class ServerFixture extends ChaosFixture {
  readonly proxies: TcpProxy[] = [];

  constructor(
    bed: Bed,
    readonly server: FaultServer,
  ) {
    super(bed, (place) => ({ url: this.proxies[place]?.url ?? '' }));
  }

  override async start(): Promise<void> {
    for (let place = 0; place < WORKERS; place += 1) this.proxies.push(await this.bed.proxy(this.server));
    await super.start();
  }
}
