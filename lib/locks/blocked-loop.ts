import type { Clock } from '../base/clock.js';
import type { Hold } from '../line/hold.js';
import { type LockLog, warn } from './lock-log.js';

// A process that is too busy all the time is told of once in so many milliseconds.
const PAUSE = 10_000;

/**
 * Warns when renewals come so late that leases are near their deadline: the event loop was blocked, or the machine stood
 * still. The store is not to blame then, and a longer ttl only hides it.
 */
export class BlockedLoop {
  private saidAt = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly log: LockLog,
  ) {}

  /** Called by the scheduler of renewals, before the renewals are sent. It never throws, whatever the log does. */
  readonly late = (holds: readonly Hold[], late: number): void => {
    const now = this.clock.now();
    if (now - this.saidAt < PAUSE) return;
    // A renewal has two thirds of the ttl: what took half of that endangers the lease.
    const endangered = holds.filter(({ renews, terms }) => renews && late >= terms.ttl / 3);
    const [first] = endangered;
    if (!first) return;
    this.saidAt = now;
    const left = Math.round(first.deadline - now);
    const one = endangered.length === 1;
    const message =
      `The event loop of this process was blocked, or the machine stood still, for ${Math.round(late)} ms: ` +
      `${one ? 'a lease was' : `${endangered.length} leases were`} not renewed in time. ` +
      `${one ? 'That' : 'The first'} of '${first.name}' ` +
      `${left > 0 ? `has ${left} ms left` : `has been over for ${-left} ms`}. ` +
      'Move long computations to a worker thread, or give the lock a longer ttl.';
    const fields = { lock: first.name, count: endangered.length, duration: Math.round(late) };
    warn(this.log, 'blocked-loop', message, fields);
  };
}
