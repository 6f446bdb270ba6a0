import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { concatMap, from, mergeMap, Subject } from 'rxjs';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { Lease } from '../../lib/locks/lease.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { describeWithRealRedis } from '../support/real-redis.js';

type Job = () => Promise<void>;
/** Takes a job, and runs it at some time in whatever context it likes. */
type Push = (job: Job) => void;

const ROUNDS = 1_000;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ways in which programs run one caller's job in the async context of another: of whoever woke the runner up. */
const RUNNERS: Record<string, () => Push> = {
  'a queue of ten lines': () => {
    const jobs: Job[] = [];
    let running = false;
    const pump = async (): Promise<void> => {
      if (running) return;
      running = true;
      for (let job = jobs.shift(); job; job = jobs.shift()) await job();
      running = false;
    };
    return (job) => void (jobs.push(job), void pump());
  },
  'an event emitter whose listener works': () => {
    const events = new EventEmitter();
    const jobs: Job[] = [];
    let working = false;
    const work = async (): Promise<void> => {
      if (working) return;
      working = true;
      for (let job = jobs.shift(); job; job = jobs.shift()) await job();
      working = false;
    };
    events.on('job', () => void work());
    return (job) => {
      jobs.push(job);
      events.emit('job');
    };
  },
  'rxjs concatMap': () => {
    const jobs = new Subject<Job>();
    jobs.pipe(concatMap((job) => from(job()))).subscribe();
    return (job) => jobs.next(job);
  },
  'rxjs mergeMap, one at a time': () => {
    const jobs = new Subject<Job>();
    jobs.pipe(mergeMap((job) => from(job()), 1)).subscribe();
    return (job) => jobs.next(job);
  },
  'a batcher that collects the calls of a turn': () => {
    let batch: Job[] | undefined;
    return (job) => {
      if (batch) return void batch.push(job);
      batch = [job];
      setImmediate(() => {
        const all = batch ?? [];
        batch = undefined;
        for (const each of all) void each();
      });
    };
  },
  'a pool of workers that sleep until they are woken': () => {
    const jobs: Job[] = [];
    const asleep: (() => void)[] = [];
    const worker = async (): Promise<void> => {
      for (;;) {
        for (let job = jobs.shift(); job; job = jobs.shift()) await job();
        await new Promise<void>((resolve) => asleep.push(resolve));
      }
    };
    let started = false;
    return (job) => {
      jobs.push(job);
      if (!started) for (let n = 0; n < 2; n += 1) void worker(); // lazily, in the context of the first caller
      started = true;
      asleep.shift()?.();
    };
  },
  'a poller that the first caller starts': () => {
    const jobs: Job[] = [];
    let timer: NodeJS.Immediate | undefined;
    const poll = (): void => {
      for (const job of jobs.splice(0)) void job();
      idle += 1;
      timer = idle < 50 ? setImmediate(poll) : undefined;
    };
    let idle = 0;
    return (job) => {
      jobs.push(job);
      idle = 0;
      timer ??= setImmediate(poll);
    };
  },
  'a stream of objects': () => {
    const stream = new Writable({
      objectMode: true,
      highWaterMark: 100,
      write: (job: Job, _encoding, done) => void job().then(() => done(), done),
    });
    return (job) => void stream.write(job);
  },
  'an async generator that feeds a loop': () => {
    const jobs: Job[] = [];
    let wake = (): void => undefined;
    const feed = async function* (): AsyncGenerator<Job> {
      for (;;) {
        for (let job = jobs.shift(); job; job = jobs.shift()) yield job;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    };
    const loop = async (): Promise<void> => {
      for await (const job of feed()) await job();
    };
    let started = false;
    return (job) => {
      jobs.push(job);
      if (!started) void loop();
      started = true;
      wake();
    };
  },
};

/** Two requests change one balance under one lock; the change of the second goes through a runner that the first woke up. */
async function race(
  locks: LockService,
  name: string,
  push: Push,
): Promise<{ borrowed: boolean; balance: number; most: number; fences: number }> {
  let balance = 100;
  let inside = 0;
  let most = 0;
  const fences: number[] = [];
  const change = async (lease: Lease, amount: number, during?: () => void): Promise<void> => {
    fences.push(lease.fence);
    most = Math.max(most, (inside += 1));
    const read = balance;
    during?.();
    await turn();
    await turn();
    balance = read + amount;
    inside -= 1;
  };
  let borrowed = false;
  const audit: Job = () => turn();
  const first = locks.using(name, (lease) => change(lease, -10, () => push(audit)));
  const second = new Promise<void>((resolve, reject) => {
    const job: Job = () => {
      borrowed = locks.current(name) !== undefined;
      const changed = locks.using(name, (lease) => change(lease, -20), { wait: '20s' });
      changed.then(resolve, reject);
      return changed;
    };
    void turn().then(() => push(job)); // a request of its own
  });
  await Promise.all([first, second]);
  return { borrowed, balance, most, fences: new Set(fences).size };
}

function suite(open: () => LockService, rounds: number): void {
  let locks: LockService;
  beforeAll(async () => {
    locks = open();
    await locks.ready();
  });
  afterAll(() => locks.close());

  it.each(Object.entries(RUNNERS))(
    '%s: never two inside, never one fence for both, no lost update',
    async (name, runner) => {
      let borrowed = 0;
      for (let round = 0; round < rounds; round += 1) {
        const { borrowed: inside, ...seen } = await race(locks, name, runner());
        expect(seen).toEqual({ balance: 70, most: 1, fences: 2 });
        borrowed += inside ? 1 : 0;
      }
      expect(borrowed).toBeGreaterThan(0); // else nothing was tried
    },
    60_000,
  );
}

describe('a stranger in the async context of a holder, in memory', () => {
  suite(() => createLockService({ log: { warn: () => undefined } }), ROUNDS);
});

describe('the option reentrant: true', () => {
  it('trusts the context, and so lets the stranger in: what its documentation warns of', async () => {
    const locks = createLockService({ reentrant: true, log: { warn: () => undefined } });
    const runner = RUNNERS['a queue of ten lines'] as () => Push;
    expect(await race(locks, 'account', runner())).toEqual({
      borrowed: true,
      balance: 80,
      most: 2,
      fences: 1,
    });
    await locks.close();
  });
});

describeWithRealRedis('a stranger in the async context of a holder, in Redis', () => {
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis()));
  suite(() => createLockService({ redis: redis.url, log: { warn: () => undefined } }), ROUNDS / 5);
  afterAll(() => redis.stop());
});
