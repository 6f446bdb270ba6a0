import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { concatMap, from, mergeMap, Subject } from 'rxjs';

export type Job = () => Promise<void>;
/** Takes a job, and runs it at some time in whatever async context it likes. */
export type Push = (job: Job) => void;

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ways in which programs run one caller's job in the async context of another: of whoever woke the runner up. */
export const RUNNERS: Readonly<Record<string, () => Push>> = {
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
  'an event emitter whose listener takes all that came until then': () => {
    const events = new EventEmitter();
    const jobs: Job[] = [];
    events.on('job', () => void Promise.all(jobs.splice(0).map((job) => turn().then(job))));
    return (job) => {
      jobs.push(job);
      setImmediate(() => events.emit('job')); // of whoever came first, for all who came until then
    };
  },
};

/**
 * Two requests for one name. Under the lock of the first the runner is woken up; the second is a request of its own,
 * whose work goes through that runner. Resolves with whether it ran in the context of the first, when both are done.
 */
export async function throughRunner(
  push: Push,
  /** Whether the context in which this is called holds the lock. */
  inside: () => boolean,
  /** Calls `begun` when it has the lock. */
  first: (begun: () => void) => Promise<unknown>,
  second: Job,
): Promise<boolean> {
  let borrowed = false;
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const one = first(() => (push(turn), begin()));
  const other = new Promise<void>((resolve, reject) => {
    const job: Job = () => {
      borrowed = inside();
      const done = second();
      done.then(resolve, reject);
      return done;
    };
    void begun.then(() => push(job)); // in the context of this call, while the first one works
  });
  await Promise.all([one, other]);
  return borrowed;
}
