import type { Clock } from '../base/clock.js';
import { milliseconds } from '../base/duration.js';
import { LockStoreError } from '../base/errors.js';
import type { LockStore, StoreFindings } from '../store/lock-store.js';

/** How a store does. */
export interface StoreHealth {
  /** `degraded` when it answered, but slowly. */
  readonly status: 'up' | 'degraded' | 'down';
  /** How long the probe took, or was waited for, in milliseconds. */
  readonly took: number;
  /** What the probe found; undefined when the store is down. */
  readonly findings?: StoreFindings;
  /** Why the store is down. */
  readonly error?: Error;
}

const [TIMEOUT, SLOW, LEAST] = [1_000, 250, 10];

/** A probe that is under way, and the local time at which it has failed at the latest. */
interface Probe {
  readonly until: number;
  readonly outcome: Promise<StoreFindings>;
}

/**
 * Probes a store for health checks. A check that comes while a probe is under way shares its outcome, unless that probe got
 * no answer and had less time than the check has.
 */
export class StoreHealthCheck {
  private probe: Probe | undefined;

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
  ) {}

  /** Resolves within `timeout`, whatever the store does. @throws LockUsageError for a time out of range */
  async check(options: { readonly timeout?: unknown; readonly slow?: unknown } = {}): Promise<StoreHealth> {
    const range = { min: LEAST, max: 60_000 };
    const { timeout: patience = TIMEOUT, slow: limit = SLOW } = options; // null is a mistake and is refused
    const timeout = milliseconds(patience, { option: 'timeout', ...range });
    const slow = milliseconds(limit, { option: 'slow', ...range });
    const began = this.clock.now();
    try {
      const findings = await this.within(timeout);
      const took = this.clock.now() - began;
      return { status: took > slow ? 'degraded' : 'up', took, findings };
    } catch (error) {
      return { status: 'down', took: this.clock.now() - began, error: error as Error };
    }
  }

  private within(timeout: number): Promise<StoreFindings> {
    return new Promise((resolve, reject) => {
      const { address } = this.store;
      const silent = (): void =>
        reject(new LockStoreError(`The store (${address}) did not answer the probe within ${timeout} ms.`));
      // After a turn of the event loop: when it was late, the answer may wait in the socket.
      const cancel = this.clock.after(timeout, () => this.clock.breathe(silent));
      this.current(this.clock.now() + timeout)
        .then(resolve, reject)
        .finally(cancel);
    });
  }

  private async current(until: number): Promise<StoreFindings> {
    for (;;) {
      const probe = (this.probe ??= this.begin(until));
      try {
        return await probe.outcome;
      } catch (error) {
        const refused = error instanceof LockStoreError && error.refused;
        if (refused || probe.until >= until || until - this.clock.now() < LEAST) throw error;
      }
    }
  }

  private begin(until: number): Probe {
    const outcome = this.store.ready(until - this.clock.now()).finally(() => (this.probe = undefined));
    return { until, outcome };
  }
}
