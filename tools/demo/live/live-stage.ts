import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLockService, type LockService } from 'nestjs-distributed-lock/plain';
import pg from 'pg';
import { Observable } from 'rxjs';
import {
  HALVES,
  Stage,
  StageRefusal,
  type Half,
  type ProcessState,
  type Tick,
} from '../../../sample-app/live/stage.js';
import type { RunningDatabase } from '../../database/start-database.js';
import { audit } from '../audit.js';
import { startShopProcess, type ShopProcess } from '../shop-process.js';
import { sendLiveCrowd, type Desk } from './live-crowd.js';
import type { LiveRedis } from './live-redis.js';
import { now, SaleRecord, skuOf, type Counts } from './sale-record.js';

const TTL = 3_000;
const GUARD = 500;
// How long a buyer stays in line: a crowd of 5 000 takes a slow machine a minute or two.
const WAIT = 600_000;
const EVERY = 100;
const NAMES = ['A', 'B', 'C', 'D', 'E', 'F'] as const;
/** The crowd of an accident for which no sale runs, and of the first sale. */
const CROWD = 500;
const LOCK = `flash-sale:${skuOf('locked')}`;

interface Shop extends Desk {
  readonly process: ShopProcess | undefined;
  state: ProcessState['state'];
}

/** Runs the live page: processes, crowds and accidents. What it shows, it was told. */
export class LiveStage extends Stage {
  private readonly record = new SaleRecord();
  private readonly shops = new Map<string, Shop & { process: ShopProcess | undefined }>();
  private readonly aborter = new AbortController();
  private readonly viewers = new Set<(tick: Tick) => void>();
  private readonly namespace = `demo-${randomBytes(4).toString('hex')}`;
  private readonly locks: LockService;
  private readonly sql: pg.Client;
  private timer: NodeJS.Timeout | undefined;
  private counting = false;
  private selling = false;
  private acting = false;
  private sale: Promise<void> = Promise.resolve();
  private resizing: Promise<void> = Promise.resolve();
  private sent = { points: 0, lanes: 0, sale: 0 };

  constructor(
    private readonly redis: LiveRedis,
    private readonly database: RunningDatabase,
  ) {
    super();
    setMaxListeners(0, this.aborter.signal); // each buyer listens
    const log = { warn: () => undefined }; // the processes of the sale say what they see
    this.locks = createLockService({ redis: redis.url, namespace: this.namespace, log });
    this.sql = new pg.Client({ connectionString: database.url });
    this.sql.on('error', () => undefined);
  }

  /** Starts the processes and lets some buyers in before the doors open: first connections are not what is shown. */
  async start(processes: number): Promise<void> {
    await this.sql.connect();
    await Promise.all(NAMES.slice(0, processes).map((name) => this.add(name)));
    const { signal } = this.aborter;
    await Promise.all(
      HALVES.map((half) => sendLiveCrowd(60, skuOf(half), lockOf(half), this.desks, signal, () => undefined)),
    );
    this.timer = setInterval(() => void this.tick(), EVERY);
  }

  get processes(): readonly ShopProcess[] {
    return [...this.shops.values()].flatMap(({ process }) => (process ? [process] : []));
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.aborter.abort();
    for (const shop of this.shops.values()) shop.open = false;
    await Promise.allSettled([this.sale, this.resizing]);
    await Promise.all(this.processes.map((process) => process.stop()));
    await this.locks.close().catch(() => undefined);
    await this.sql.end().catch(() => undefined);
  }

  ticks(): Observable<Tick> {
    return new Observable<Tick>((viewer) => {
      const { points, lanes } = this.record;
      viewer.next(this.now(points, lanes));
      const next = (tick: Tick) => viewer.next(tick);
      this.viewers.add(next);
      // Whoever opens the page sees a sale at once.
      if (this.record.number === 0 && !this.acting) void this.open(CROWD).catch(() => undefined);
      return () => this.viewers.delete(next);
    });
  }

  async open(buyers: number): Promise<void> {
    if (this.selling) throw new StageRefusal('sale-runs');
    if (!this.desks().some(({ open }) => open)) throw new StageRefusal('no-process');
    this.begin(HALVES, buyers);
    await Promise.resolve();
  }

  private begin(halves: readonly Half[], buyers: number): void {
    const offered = buyers / 5;
    this.record.prepare(halves, buyers, offered);
    this.selling = true;
    this.sale = this.sell(halves, buyers, offered)
      .catch(() => undefined)
      .finally(() => (this.selling = false));
  }

  private async sell(halves: readonly Half[], buyers: number, offered: number): Promise<void> {
    const { record } = this;
    const { signal } = this.aborter;
    for (const half of halves) {
      const sku = skuOf(half);
      await this.sql.query('delete from flash_sale.orders where sku = $1', [sku]);
      await this.sql.query('update flash_sale.items set offered = $2, stock = $2 where sku = $1', [
        sku,
        offered,
      ]);
      record.begin(half);
      try {
        await sendLiveCrowd(buyers, sku, lockOf(half), this.desks, signal, (outcome, waited) =>
          record.answer(half, outcome, waited),
        );
        if (signal.aborted) return;
        while (this.counting) await sleep(5);
        await this.count(half);
        if (half === 'locked') record.audit(half, (await audit(this.sql, sku)).increasing);
      } finally {
        record.end(half);
      }
    }
  }

  resize(processes: number): Promise<void> {
    if (!this.redis.up) return Promise.reject(new StageRefusal('redis-down'));
    const resized = this.resizing.then(async () => {
      const present = [...this.shops.keys()].sort();
      const missing = NAMES.filter((name) => !this.shops.has(name));
      const more = missing.slice(0, Math.max(0, processes - present.length));
      const less = present.slice(processes);
      await Promise.all([
        ...more.map((name) => this.add(name, 'added')),
        ...less.map((name) => this.remove(name)),
      ]);
    });
    this.resizing = resized.catch(() => undefined);
    return resized;
  }

  async killHolder(): Promise<void> {
    await this.act(async () => {
      await this.meanwhile();
      const { shop, at } = await this.stopHolder();
      const process = shop.process as ShopProcess;
      shop.open = false;
      shop.state = 'killed';
      this.record.incidents.push({ kind: 'kill', at: at - this.record.began, process: shop.name });
      process.signal('SIGKILL');
      await process.exited;
    });
  }

  async freezeHolder(): Promise<void> {
    await this.act(async () => {
      await this.meanwhile();
      if (!this.record.sellsUnderLock) throw new StageRefusal('sold-out');
      const frozen = () => this.record.incidents.filter(({ kind }) => kind === 'freeze').length;
      const before = frozen();
      const shop = await this.holder();
      if (!shop) throw new StageRefusal('no-holder');
      shop.process?.tell({ freeze: 2 * TTL });
      for (const end = now() + TTL; frozen() === before; await sleep(5)) {
        if (now() < end && this.record.sellsUnderLock) continue;
        shop.process?.tell({ freeze: 0 });
        throw new StageRefusal('no-holder');
      }
    });
  }

  async stopRedis(): Promise<void> {
    if (!this.redis.stoppable) throw new StageRefusal('redis-not-ours');
    await this.act(async () => {
      if (!this.redis.up) return;
      this.record.incidents.push({ kind: 'redis-stopped', at: this.record.at });
      await this.redis.down();
    });
  }

  async startRedis(): Promise<void> {
    if (!this.redis.stoppable) throw new StageRefusal('redis-not-ours');
    await this.act(async () => {
      if (this.redis.up) return;
      await this.redis.again();
      this.record.incidents.push({ kind: 'redis-started', at: this.record.at });
    });
  }

  /** One action at a time. */
  private async act(action: () => Promise<void>): Promise<void> {
    if (this.acting) throw new StageRefusal('busy');
    this.acting = true;
    try {
      await action();
    } finally {
      this.acting = false;
    }
  }

  /** Resolves in the middle of a sale: when a third of the locked items are sold, or at once if a sale has come so far. */
  private async meanwhile(): Promise<void> {
    if (process.platform === 'win32') throw new StageRefusal('signals');
    if (!this.redis.up) throw new StageRefusal('redis-down');
    if (this.desks().filter(({ open }) => open).length < 2) throw new StageRefusal('too-few-processes');
    if (!this.selling) this.begin(['locked'], CROWD);
    const { offered } = this.record.counts('locked');
    while (this.selling && this.record.bought('locked') * 3 < offered) await sleep(2);
  }

  /** Who holds the lock of the sale, as Redis says. */
  private async holder(): Promise<Shop | undefined> {
    for (const end = now() + TTL; now() < end && this.selling; await sleep(1)) {
      const pid = await this.holderPid();
      const shop = [...this.shops.values()].find(({ process }) => process?.pid === pid);
      if (shop?.state === 'up') return shop;
    }
    return undefined;
  }

  private async holderPid(): Promise<number | undefined> {
    const { holders } = await this.locks.inspect(LOCK).catch(() => {
      throw new StageRefusal('redis-down');
    });
    return holders[0]?.pid;
  }

  /**
   * Stops the process that holds the lock at this moment. The lock goes on every few milliseconds, so the process that
   * Redis named is stopped first, and let go if the lock was no longer its own: a stopped process gives nothing back.
   */
  private async stopHolder(): Promise<{ shop: Shop; at: number }> {
    for (const end = now() + 4 * TTL; now() < end;) {
      const shop = await this.holder();
      if (!shop?.process) break;
      shop.process.signal('SIGSTOP');
      const at = now();
      // What it had sent before is read by Redis meanwhile.
      await sleep(20);
      if ((await this.holderPid()) === shop.process.pid && now() - at < TTL) return { shop, at };
      shop.process.signal('SIGCONT');
    }
    throw new StageRefusal('no-holder');
  }

  private async add(name: string, why?: 'added'): Promise<void> {
    const shop = { name, url: '', buyers: 0, open: false, state: 'starting', process: undefined } as Shop & {
      process: ShopProcess | undefined;
    };
    this.shops.set(name, shop);
    const env = {
      REDIS_URL: this.redis.url,
      DATABASE_URL: this.database.url,
      LOCK_NAMESPACE: this.namespace,
      LOCK_TTL: String(TTL),
      LOCK_WAIT: String(WAIT),
      REPORT_SALE: '1',
    };
    try {
      const process = await startShopProcess(name, env, (message) => this.hear(name, message));
      const started = { ...shop, process, url: process.url, open: true, state: 'up' as const };
      this.shops.set(name, started);
      void process.exited.then(() => this.ended(started));
      if (this.aborter.signal.aborted) return await process.stop();
      if (why) this.record.incidents.push({ kind: why, at: this.record.at, process: name });
    } catch (error) {
      this.shops.delete(name);
      throw error;
    }
  }

  private async remove(name: string): Promise<void> {
    const shop = this.shops.get(name);
    if (!shop?.process) return;
    shop.open = false;
    shop.state = 'stopping';
    // Its buyers get their answers first, as behind any load balancer.
    while (shop.buyers > 0 && !this.aborter.signal.aborted) await sleep(20);
    await shop.process.stop();
    this.record.incidents.push({ kind: 'removed', at: this.record.at, process: name });
  }

  private hear(name: string, message: Parameters<SaleRecord['hear']>[1]): void {
    const shop = this.shops.get(name);
    if (shop && 'frozen' in message) shop.state = 'frozen';
    if (shop?.state === 'frozen' && 'woke' in message) shop.state = 'up';
    this.record.hear(name, message);
  }

  /** A process has gone. One that nobody asked to go is replaced, as by any supervisor, after the lock has gone on. */
  private async ended(shop: Shop): Promise<void> {
    const { name } = shop;
    const asked = shop.state === 'stopping' || this.aborter.signal.aborted;
    const sale = this.record.number;
    this.record.forget(name);
    shop.open = false;
    if (!asked) {
      if (shop.state !== 'killed')
        this.record.incidents.push({ kind: 'died', at: this.record.at, process: name });
      shop.state = 'killed';
      const waits = () =>
        this.record.number === sale &&
        this.record.incidents.some(
          (one) => one.kind === 'kill' && one.process === name && one.nextGrant === undefined,
        );
      for (const end = now() + 3 * TTL; now() < end && waits() && !this.aborter.signal.aborted;)
        await sleep(20);
      while (!this.redis.up && !this.aborter.signal.aborted) await sleep(100);
    }
    this.shops.delete(name);
    if (!asked && !this.aborter.signal.aborted) await this.add(name).catch(() => undefined);
  }

  private readonly desks = (): readonly Shop[] => [...this.shops.values()];

  private async tick(): Promise<void> {
    for (const half of HALVES) if (this.record.isRunning(half)) await this.count(half).catch(() => undefined); // the numbers stand still
    const { points, lanes, number } = this.record;
    const { sent } = this;
    // A half that goes on being shown is sent again with a new sale; the page knows its pieces by their times.
    const fresh = sent.sale === number ? sent : { points: 0, lanes: 0 };
    this.sent = { points: points.length, lanes: lanes.length, sale: number };
    if (this.viewers.size === 0) return;
    const tick = this.now(points.slice(fresh.points), lanes.slice(fresh.lanes));
    for (const viewer of this.viewers) viewer(tick);
  }

  /** Asks the database what was sold; one question at a time. */
  private async count(half: Half): Promise<void> {
    if (this.counting || this.aborter.signal.aborted) return;
    this.counting = true;
    try {
      const { rows } = await this.sql.query<Counts>(
        `select offered, stock,
                (select coalesce(sum(quantity), 0)::integer from flash_sale.orders where orders.sku = items.sku) as sold
           from flash_sale.items where sku = $1`,
        [skuOf(half)],
      );
      if (rows[0]) this.record.count(half, rows[0]);
    } finally {
      this.counting = false;
    }
  }

  private now(points: Tick['points'], lanes: Tick['lanes']): Tick {
    const { record, redis } = this;
    return {
      sale: record.number,
      running: this.selling,
      halves: { unlocked: record.state('unlocked'), locked: record.state('locked') },
      processes: [...this.shops.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, process, state }) => ({
          ...{ name, pid: process?.pid ?? 0, state },
          ...record.ofProcess(name),
        })),
      incidents: record.incidents,
      redis: { up: redis.up, stoppable: redis.stoppable, server: redis.kind },
      ttl: TTL,
      guard: GUARD,
      points,
      lanes,
    };
  }
}

function lockOf(half: Half): 'on' | 'off' {
  return half === 'locked' ? 'on' : 'off';
}
