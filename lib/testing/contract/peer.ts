import type {
  AcquireAnswer,
  AcquireOperation,
  ReleaseOperation,
  RenewOperation,
  TakeOverOperation,
} from '../../store/lock-operation.js';
import { WHOLE } from '../../store/lock-machine.js';
import type { LockStore } from '../../store/lock-store.js';
import { newAttemptId } from '../../store/session-id.js';

export const MS = 1_000;
/** How long a store has to answer, in milliseconds. */
export const TIMEOUT = 2_000;
const USUAL = { ttl: 5_000 * MS, guard: 500 * MS, block: 1_000 };

export type Granted = Extract<AcquireAnswer, { outcome: 'granted' }>;

/** One process that takes part in a case: a session, and the operations with everyday values. */
export class Peer {
  constructor(
    readonly store: LockStore,
    readonly name: string,
  ) {}

  id(): string {
    return newAttemptId(this.store.session);
  }
  /** The same process and another name. */
  on(name: string): Peer {
    return new Peer(this.store, name);
  }
  acquire(id: string, more: Partial<AcquireOperation> = {}) {
    const asked = { id, units: WHOLE, capacity: WHOLE, wait: 60_000 * MS, identity: 'host:1' };
    const hears = { subscribed: true, seal: `seal-of-${id}` };
    return this.store.execute(this.name, { kind: 'acquire', ...USUAL, ...asked, ...hears, ...more }, TIMEOUT);
  }
  async granted(id: string, more: Partial<AcquireOperation> = {}): Promise<Granted & { sentAt: number }> {
    const answer = await this.acquire(id, more);
    if (answer.outcome !== 'granted') throw new Error(`Expected a grant, got ${JSON.stringify(answer)}`);
    return answer;
  }
  read(id: string, more: Partial<AcquireOperation> = {}) {
    return this.acquire(id, { units: 1, ...more });
  }
  renew(id: string, more: Partial<RenewOperation> = {}) {
    return this.store.execute(this.name, { kind: 'renew', id, ...USUAL, used: 0, ...more }, TIMEOUT);
  }
  release(id: string, more: Partial<ReleaseOperation> = {}) {
    return this.store.execute(
      this.name,
      { kind: 'release', id, used: 0, keep: 0, done: 0, ...more },
      TIMEOUT,
    );
  }
  downgrade(id: string, used: number) {
    return this.store.execute(this.name, { kind: 'downgrade', id, units: 1, used }, TIMEOUT);
  }
  takeOver(from: string, id: string, more: Partial<TakeOverOperation> = {}) {
    const asked = { from, id, used: 0, units: WHOLE, identity: 'host:2', ...USUAL };
    return this.store.execute(this.name, { kind: 'takeOver', ...asked, ...more }, TIMEOUT);
  }
  note(id: string, text: string, turn = 1) {
    return this.store.execute(this.name, { kind: 'note', id, text, turn }, TIMEOUT);
  }
  revoke(force = false, reason = 'by test') {
    return this.store.execute(this.name, { kind: 'revoke', reason, force }, TIMEOUT);
  }
  state() {
    return this.store.read(this.name, TIMEOUT);
  }
  /** Waits until the server's clock has passed a point of time. */
  async past(time: number): Promise<void> {
    for (;;) {
      const { now } = await this.state();
      if (now > time) return;
      await new Promise((resolve) => setTimeout(resolve, Math.ceil((time - now) / MS)));
    }
  }
}
