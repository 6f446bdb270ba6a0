import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import pg from 'pg';
import { startDatabase, type RunningDatabase } from '../database/start-database.js';
import { startRedis } from '../redis/start-redis.js';
import { sendCrowd } from './crowd.js';
import { startTopology, type Topology } from './topology.js';
import { runRace, type Outcome, type Race } from './race.js';
import { startShopProcess, type ShopProcess } from './shop-process.js';

const SALE: Omit<Race, 'lock'> = { sku: 'sneaker', buyers: 300, items: 100 };
const RACES: readonly Race[] = [
  { sku: 'last-ticket', buyers: 50, items: 1, lock: 'off' },
  { sku: 'last-ticket', buyers: 50, items: 1, lock: 'on' },
  { ...SALE, lock: 'off' },
  { ...SALE, lock: 'on' },
];

/** What runs. */
export interface Started {
  /** The Redis, in words. */
  readonly server: string;
  readonly emulated: boolean;
  readonly database: RunningDatabase;
}

interface Stoppable {
  stop(): Promise<void>;
}

/** Redis, a database and three processes of the sample, started in an order that `stop` can undo at any moment. */
export class Demo {
  private readonly servers: Stoppable[] = [];
  private readonly clients: Stoppable[] = [];
  private readonly aborter = new AbortController();
  private starting: Promise<unknown> = Promise.resolve();
  private stopped: Promise<void> | undefined;
  shops: readonly ShopProcess[] = [];

  private topology: Topology | undefined;
  private namespace = '';

  /** `topologyName`: several servers, whose master is killed during the sale; else one server. */
  constructor(private readonly topologyName?: string) {
    setMaxListeners(0, this.aborter.signal); // each buyer listens
  }

  /** `say` gets a line for each step, when it begins. */
  start(say: (step: string) => void): Promise<Started> {
    const started = this.startAll(say);
    this.starting = started.catch(() => undefined);
    return started;
  }

  private async startAll(say: (step: string) => void): Promise<Started> {
    say('Redis and a database');
    const [redis, database] = await settled([
      this.topologyName === undefined
        ? keep(this.servers, startRedis())
        : keep(this.servers, startTopology(this.topologyName)),
      keep(this.servers, startDatabase()),
    ]);
    const single = 'url' in redis;
    if (!single) this.topology = redis;
    // A namespace of its own: a Redis that was given may serve others, who are not to be waited for.
    this.namespace = `demo-${randomBytes(4).toString('hex')}`;
    const env = {
      ...(single ? { REDIS_URL: redis.url } : redis.env),
      DATABASE_URL: database.url,
      LOCK_NAMESPACE: this.namespace,
    };
    this.aborter.signal.throwIfAborted();
    say('three processes of the flash sale');
    this.shops = await settled(
      ['A', 'B', 'C'].map((name) => keep(this.clients, startShopProcess(name, env))),
    );
    return {
      server: single ? redis.kind : redis.words,
      emulated: single && redis.kind === 'emulated',
      database,
    };
  }

  /** Runs the races one after another. */
  async *races(database: RunningDatabase): AsyncGenerator<Outcome, void, void> {
    const { signal } = this.aborter;
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    this.clients.push({ stop: () => client.end() });
    // Just-in-time compilation and the first connections are not what the table is about.
    for (const lock of ['off', 'on'] as const) await sendCrowd(this.shops, 'sneaker', 60, lock, signal);
    const { topology, namespace } = this;
    const races = topology ? RACES.filter(({ sku }) => sku === SALE.sku) : RACES;
    for (const race of races) {
      const key = `${namespace}:flash-sale:${race.sku}`;
      const accident = topology && race.lock === 'on' ? () => topology.killMaster(key) : undefined;
      yield await runRace(race, this.shops, client, signal, accident);
    }
  }

  /** Ends everything, those who hold locks first, also in the middle of a start. Idempotent. */
  stop(): Promise<void> {
    this.aborter.abort(new Error('The demo was stopped.'));
    this.stopped ??= this.starting.then(async () => {
      for (const started of [this.clients, this.servers]) await Promise.all(started.map((one) => one.stop()));
    });
    return this.stopped;
  }
}

async function keep<T extends Stoppable>(kept: Stoppable[], starting: Promise<T>): Promise<T> {
  const started = await starting;
  kept.push(started);
  return started;
}

/** Like Promise.all, but waits for all: what is still starting when another one failed must be stopped, too. */
async function settled<T extends readonly unknown[]>(promises: {
  readonly [K in keyof T]: Promise<T[K]>;
}): Promise<T> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
