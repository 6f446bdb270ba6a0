import type { LockService } from '../../../../lib/locks/lock-service.js';
import { monotonic, type HistoryEvent, type HistoryFile } from './history.js';

type Answer = Omit<HistoryEvent & { type: 'latch-answer' }, 'type' | 'id' | 'at'>;

/** What this process asks of countdown latches, written into the history with what it was told. */
export class LatchBook {
  private count = 0;

  constructor(
    private readonly history: HistoryFile,
    private readonly process: string,
    private readonly locks: LockService,
  ) {}

  trySetCount(name: string, count: number, ttl: number): Promise<Answer> {
    return this.ask({ type: 'latch-set', name, count, ttl }, async () => ({
      set: await this.locks.latch(name).trySetCount(count, { ttl }),
    }));
  }

  countDown(name: string, by: string): Promise<Answer> {
    return this.ask({ type: 'latch-down', name, by }, async () => ({
      left: await this.locks.latch(name).countDown(by),
    }));
  }

  opened(name: string, wait: number, signal?: AbortSignal): Promise<Answer> {
    return this.ask({ type: 'latch-wait', name }, async () => {
      await this.locks.latch(name).opened({ wait, signal });
      return { opened: true };
    });
  }

  /** A failure is no answer: what was asked may have been done. */
  private async ask(
    question:
      | { type: 'latch-set'; name: string; count: number; ttl: number }
      | { type: 'latch-down'; name: string; by: string }
      | { type: 'latch-wait'; name: string },
    send: () => Promise<Answer>,
  ): Promise<Answer> {
    const id = `${this.process}-l${(this.count += 1)}`;
    this.history.add({ ...question, id, at: monotonic() });
    const answer = await send().catch(() => undefined);
    if (answer) this.history.add({ type: 'latch-answer', id, at: monotonic(), ...answer });
    return answer ?? {};
  }
}
