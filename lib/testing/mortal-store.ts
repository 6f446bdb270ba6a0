import type { Clock } from '../base/clock.js';
import type { AnswerTo, LockOperation } from '../store/lock-operation.js';
import { answeredAt, type Answered } from '../store/lock-store.js';
import type { MemoryServer } from '../store/memory/memory-server.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { newSession } from '../store/session-id.js';

/** The store of a process that dies: from then on nothing of it reaches the server. */
export class MortalStore extends MemoryStore {
  private dead = false;

  constructor(server: MemoryServer, clock: Clock) {
    super(server, newSession(), clock);
  }

  die(): Promise<void> {
    this.dead = true;
    return this.close();
  }

  override execute<O extends LockOperation>(
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    if (!this.dead || operation.kind !== 'release') return super.execute(name, operation, timeout);
    // As if its time were over, since a release without an answer would be sent again and again.
    const { sentAt, time } = this.sample(name);
    return Promise.resolve(answeredAt<O>({ outcome: 'gone', now: time } as AnswerTo<O>, sentAt, sentAt));
  }
}
