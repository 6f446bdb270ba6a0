import type { Attributes, Meter } from '@opentelemetry/api';

// Seconds. From a round trip on loopback to the longest default wait.
const WAITS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
// From a hand-off to a job of an hour.
const HOLDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600];
// From a punctual renewal to two thirds of a long ttl.
const LAGS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];

const LOSSES = ['expired', 'taken', 'revoked', 'max-hold', 'closed'];
const COMMANDS = ['acquire', 'renew', 'release', 'downgrade', 'await-latch'];

/** The metrics of locks, by the naming rules of OpenTelemetry. Times are milliseconds here, and seconds in the metrics. */
export class LockMetrics {
  private readonly waiting;
  private readonly held;
  private readonly acquireDuration;
  private readonly holdDuration;
  private readonly renewalLag;
  private readonly lostLeases;
  private readonly leasesAtRisk;
  private readonly storeErrors;
  /** The values of `lock.name` for which the counter of losses has begun. */
  private readonly begun = new Set<unknown>();

  constructor(meter: Meter) {
    this.acquireDuration = meter.createHistogram('lock.acquire.duration', {
      unit: 's',
      description: 'From the call that asks for a lock to its grant or its failure.',
      advice: { explicitBucketBoundaries: WAITS },
    });
    this.holdDuration = meter.createHistogram('lock.hold.duration', {
      unit: 's',
      description: 'From the grant of a lock to its release or its loss.',
      advice: { explicitBucketBoundaries: HOLDS },
    });
    this.renewalLag = meter.createHistogram('lock.renewal.lag', {
      unit: 's',
      description: 'From the time at which a renewal was due to the answer that confirmed it.',
      advice: { explicitBucketBoundaries: LAGS },
    });
    this.waiting = meter.createUpDownCounter('lock.waiting', {
      unit: '{caller}',
      description: 'Callers of this process that wait for a lock.',
    });
    this.held = meter.createUpDownCounter('lock.held', {
      unit: '{lease}',
      description: 'Leases that this process holds.',
    });
    this.lostLeases = meter.createCounter('lock.lost', {
      unit: '{lease}',
      description: 'Leases that ended without a release.',
    });
    this.leasesAtRisk = meter.createCounter('lock.at_risk', {
      unit: '{lease}',
      description: 'Times that half of the ttl of a lease went by without an answered renewal.',
    });
    this.storeErrors = meter.createCounter('lock.store.errors', {
      unit: '{error}',
      description: 'Commands about locks that the store refused, or whose outcome is unknown.',
    });
    for (const command of COMMANDS)
      for (const refused of [true, false]) this.storeErrors.add(0, storeError(command, refused));
  }

  asked(of: Attributes): void {
    this.waiting.add(1, of);
  }

  /** A call ended without a lock. */
  refused(of: Attributes, why: Attributes, waited: number): void {
    this.acquireDuration.record(waited / 1_000, { ...of, ...why });
  }

  granted(of: Attributes, waited: number): void {
    this.acquireDuration.record(waited / 1_000, of);
    this.held.add(1, of);
    if (this.begun.has(of['lock.name'])) return;
    // A rate does not see a counter that appears with its first loss, so it begins before that.
    this.begun.add(of['lock.name']);
    this.leasesAtRisk.add(0, of);
    for (const reason of LOSSES) this.lostLeases.add(0, { ...of, 'lock.reason': reason });
  }

  /** A call no longer waits. */
  stopped(of: Attributes): void {
    this.waiting.add(-1, of);
  }

  /** A lease that was counted as held has ended. */
  gone(of: Attributes): void {
    this.held.add(-1, of);
  }

  released(of: Attributes, held: number): void {
    this.holdDuration.record(held / 1_000, of);
  }

  lost(of: Attributes, reason: string, held: number): void {
    const why = { ...of, 'lock.reason': reason };
    this.lostLeases.add(1, why);
    this.holdDuration.record(held / 1_000, { ...why, 'error.type': 'LOCK_LOST' });
  }

  atRisk(of: Attributes): void {
    this.leasesAtRisk.add(1, of);
  }

  renewed(of: Attributes, lag: number): void {
    this.renewalLag.record(lag / 1_000, of);
  }

  failed(command: string, refused: boolean): void {
    this.storeErrors.add(1, storeError(command, refused));
  }
}

function storeError(command: string, refused: boolean): Attributes {
  return { 'lock.store.command': command, 'error.type': refused ? 'refused' : 'unknown_outcome' };
}
