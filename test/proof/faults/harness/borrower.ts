import type { Lease } from '../../../../lib/locks/lock.js';
import type { LockService } from '../../../../lib/locks/lock-service.js';
import { RUNNERS, throughRunner, turn, type Push } from '../../../support/job-runners.js';
import type { FencedCounter } from './fenced-counter.js';
import { monotonic, type HistoryFile } from './history.js';

/** Runs the work of strangers in the context of a holder, and writes each section under the lock into the history. */
export class Borrower {
  private count = 0;

  constructor(
    private readonly locks: LockService,
    private readonly history: HistoryFile,
    private readonly process: string,
    private readonly counter: FencedCounter,
  ) {}

  /** Resolves with how many jobs ran in the context of a holder. */
  async run(name: string, rounds: number): Promise<number> {
    const runners = Object.values(RUNNERS);
    let borrowed = 0;
    for (let round = 0; round < rounds; round += 1) {
      const open = runners[round % runners.length] as () => Push;
      const inside = await throughRunner(
        open(),
        () => this.locks.current(name) !== undefined,
        (begun) => this.section(name, begun),
        () => this.section(name),
      );
      if (inside) borrowed += 1;
    }
    return borrowed;
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
