import { EventEmitter } from 'node:events';
import type { Lease } from '../../../../lib/locks/lease.js';
import type { LockService } from '../../../../lib/locks/lock-service.js';
import type { FencedCounter } from './fenced-counter.js';
import { monotonic, type HistoryFile } from './history.js';

type Job = () => Promise<void>;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ways in which one caller's job comes to run in the async context of another: of whoever woke the runner up. */
const RUNNERS: readonly (() => (job: Job) => void)[] = [
  () => {
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
  () => {
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
  () => {
    const events = new EventEmitter();
    const jobs: Job[] = [];
    events.on('job', () => void Promise.all(jobs.splice(0).map((job) => turn().then(job))));
    return (job) => {
      jobs.push(job);
      setImmediate(() => events.emit('job')); // of whoever came first, for all who came until then
    };
  },
];

/** Runs the work of strangers in the context of a holder, and writes each section under the lock into the history. */
export class Borrower {
  private count = 0;
  private borrowed = 0;

  constructor(
    private readonly locks: LockService,
    private readonly history: HistoryFile,
    private readonly process: string,
    private readonly counter: FencedCounter,
  ) {}

  /** Resolves with how many jobs ran in the context of a holder. */
  async run(name: string, rounds: number): Promise<number> {
    for (let round = 0; round < rounds; round += 1) {
      const push = (RUNNERS[round % RUNNERS.length] as () => (job: Job) => void)();
      let begin = (): void => undefined;
      const begun = new Promise<void>((resolve) => (begin = resolve));
      const first = this.section(name, () => (push(turn), begin()));
      const second = new Promise<void>((resolve, reject) => {
        const job = (): Promise<void> => {
          if (this.locks.current(name)) this.borrowed += 1;
          const done = this.section(name);
          done.then(resolve, reject);
          return done;
        };
        void begun.then(() => push(job)); // a request of its own, while the first one works
      });
      await Promise.all([first, second]);
    }
    return this.borrowed;
  }

  private async section(name: string, begun?: () => void): Promise<void> {
    const id = `${this.process}-lent-${(this.count += 1)}`;
    this.history.add({ type: 'acquire', id, process: this.process, name, at: monotonic() });
    const work = async (lease: Lease): Promise<void> => {
      const at = monotonic();
      const { fence, held, remaining } = lease;
      this.history.add({ type: 'granted', id, at, until: at + remaining, held, fence });
      begun?.();
      const value = await this.counter.begin(name, fence);
      await turn();
      await this.counter.write(name, fence, (value ?? 0) + 1);
      this.history.add({ type: 'release', id, at: monotonic() });
    };
    await this.locks.using(name, work, { wait: '30s' });
  }
}
