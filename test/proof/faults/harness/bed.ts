import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory, type Verdict } from '../checker.js';
import { FencedCounter } from './fenced-counter.js';
import { FaultServer } from './fault-server.js';
import { HistoryFile, monotonic, type HistoryEvent } from './history.js';
import { LagMeter } from './lag-meter.js';
import { Random } from './random.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';
import type { WorkerSetup } from './worker-commands.js';
import { WorkerProcess } from './worker-process.js';

/** Where one run lies: its servers, proxies and workers, its history, and the end of all of them. */
export class Bed {
  readonly random: Random;
  readonly path: string;
  readonly workers: WorkerProcess[] = [];
  readonly figures: Record<string, string | number> = {};
  private readonly directory = mkdtempSync(join(tmpdir(), 'lock-history-'));
  private readonly history: HistoryFile;
  private readonly meter: LagMeter;
  private readonly servers: FaultServer[] = [];
  private readonly proxies: TcpProxy[] = [];
  private readonly closers: (() => void)[] = [];
  private countersUrl: string | undefined;

  constructor(
    seed: number,
    private readonly contender: WorkerSetup['contender'] = 'own',
  ) {
    this.path = join(this.directory, 'history.ndjson');
    this.history = new HistoryFile(this.path);
    this.meter = new LagMeter(this.history, 'runner');
    this.random = new Random(seed);
    this.add({ type: 'seed', seed });
  }

  add(event: HistoryEvent): void {
    this.history.add(event);
  }

  async server(args: readonly string[] = [], env: Record<string, string> = {}): Promise<FaultServer> {
    const server = await FaultServer.start(this.history, args, env);
    this.servers.push(server);
    return server;
  }

  async proxy(server: FaultServer): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(server.port);
    this.proxies.push(proxy);
    return proxy;
  }

  /** A server of its own for the counters, to which nothing is done. */
  async counters(): Promise<FencedCounter> {
    const server = await FaultServer.start(this.history);
    server.measurePing(false);
    this.servers.push(server);
    this.countersUrl = server.url;
    return new FencedCounter(server.url, this.history, 'runner');
  }

  async worker(
    label: string,
    url: string,
    more: Partial<WorkerSetup> = {},
    env: Record<string, string> = {},
  ) {
    const fixed = { label, url, history: this.path, counters: this.countersUrl };
    const worker = new WorkerProcess({ contender: this.contender, ...fixed, ...more }, env);
    this.workers.push(worker);
    await worker.ready;
    return worker;
  }

  /** Some workers at once: starting a process takes its time. */
  several(urls: Record<string, string>, more: Partial<WorkerSetup> = {}): Promise<WorkerProcess[]> {
    return Promise.all(Object.entries(urls).map(([label, url]) => this.worker(label, url, more)));
  }

  atEnd(close: () => void): void {
    this.closers.push(close);
  }

  fault(kind: string): void {
    this.add({ type: 'fault', kind, at: monotonic() });
  }

  /** What must be true for the row to hold. */
  claim(what: string, ok: boolean): void {
    this.add({ type: 'claim', what, ok });
  }

  /** A span that must not be longer than the bound and the delays of this machine. */
  within(what: string, ms: number, bound: number): void {
    this.add({ type: 'bound', what, ms, bound });
  }

  expectGrant(what: string, name: string, within: number, after = monotonic()): void {
    this.add({ type: 'expect', name, after, within, what });
  }

  /**
   * What was granted before now may be believed for up to `ttl` more, though the server knows nothing of it. It knew
   * it still at `from`.
   */
  stateLost(ttl: number, from = monotonic()): void {
    const at = monotonic();
    this.add({ type: 'state-lost', at, until: at + ttl, from });
  }

  /** Pauses or blocks a worker without counting it as lag of the machine. */
  async pause(worker: WorkerProcess, ms: number): Promise<void> {
    await worker.call('measureLag', false);
    worker.signal('SIGSTOP');
    await sleep(ms);
    worker.signal('SIGCONT');
    void worker.call('measureLag', true);
  }

  /** Waits until no key has a holder or a queue; says which do. */
  async free(server: FaultServer, within: number): Promise<void> {
    let taken = await server.taken();
    for (const end = monotonic() + within; taken.length > 0 && monotonic() < end; await sleep(10))
      taken = await server.taken();
    this.claim(`left behind: ${taken.join(', ')}`, taken.length === 0);
  }

  /** Ends everything and judges. */
  async end(hygiene = true): Promise<Verdict> {
    for (const worker of this.workers) worker.signal('SIGCONT');
    for (const proxy of this.proxies) proxy.pass();
    if (hygiene) {
      await Promise.all(this.workers.filter((worker) => worker.alive).map((worker) => this.retire(worker)));
      for (const server of this.servers) await this.free(server, 1_000);
    }
    return this.clear();
  }

  async clear(): Promise<Verdict> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
    this.meter.stop();
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    await Promise.all(this.servers.map((server) => server.stop()));
    for (const close of this.closers) close();
    this.history.close();
    const verdict = checkHistory(this.path);
    if (verdict.violations.length === 0 || !process.env['KEEP_HISTORY'])
      rmSync(this.directory, { recursive: true, force: true });
    return verdict;
  }

  /** Closes a worker's locks; after that nothing may keep its process alive. */
  private async retire(worker: WorkerProcess): Promise<void> {
    const { label } = worker.setup;
    try {
      await worker.call('close');
      this.claim(
        `${label} does not end by itself: a timer, a listener or a socket was left`,
        await worker.leave(),
      );
    } catch (error) {
      this.claim(`${label} could not be closed: ${(error as Error).message}`, false);
    }
  }
}
