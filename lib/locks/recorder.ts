/** The black box: the last acquisitions of a registration, for when a lease is lost. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { PREFIX } from '../line/lock-channels.js';
import type {
  LockAcquireEvent,
  LockBusyEvent,
  LockGrantedEvent,
  LockLostEvent,
  LockReleasedEvent,
  LockRenewedEvent,
} from '../line/lock-events.js';
import { WHOLE } from '../store/lock-machine.js';
import type { LockHistoryEvent, RecordedKind } from './lock-history.js';

/** How many acquisitions are kept. */
const KEPT = 256;

/** One acquisition, from the call on. */
interface Acquisition {
  readonly id: string;
  readonly name: string;
  readonly at: number;
  /** Of a mutex or writer that goes on as a reader those of the reader. */
  units: number;
  readonly capacity: number;
  /** What came of it: a grant or a refusal first. */
  outcome: LockHistoryEvent | undefined;
  /** Its last renewal, which is the only one that counts. */
  renewed: LockHistoryEvent | undefined;
  end: LockHistoryEvent | undefined;
  call: LockAcquireEvent | undefined;
  leaseId: string | undefined;
}

/** The host's monotonic clock, in milliseconds: one clock for all its processes. */
function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * Listens to the channels on which locks tell what happens to them, and keeps the last acquisitions. Several registrations
 * use the same channels: what belongs to another session is left out.
 */
export class LockRecorder {
  private readonly ring: (Acquisition | undefined)[] = new Array<undefined>(KEPT).fill(undefined);
  private next = 0;
  private count = 0;
  private readonly waits = new Map<LockAcquireEvent, Acquisition>();
  private readonly held = new Map<string, Acquisition>();
  private readonly heard: readonly [string, (event: never) => void][];

  constructor(
    /** What the ids of the leases of this registration begin with. */
    private readonly session: string,
    /** `host:pid` of this process. */
    private readonly process: string,
  ) {
    this.heard = [
      [`tracing:${PREFIX}:acquire:start`, this.asked],
      [`tracing:${PREFIX}:acquire:error`, this.failed],
      [`${PREFIX}:busy`, this.refused],
      [`${PREFIX}:granted`, this.granted],
      [`${PREFIX}:renewed`, this.renewed],
      [`${PREFIX}:released`, this.released],
      [`${PREFIX}:lost`, this.lost],
    ];
    for (const [channel, listener] of this.heard) subscribe(channel, listener as (event: unknown) => void);
  }

  close(): void {
    for (const [channel, listener] of this.heard) unsubscribe(channel, listener as (event: unknown) => void);
  }

  /** What happened, of all names or of one, in order. */
  recording(name?: string): LockHistoryEvent[] {
    const rules: LockHistoryEvent[] = [];
    const events: (LockHistoryEvent & { readonly at: number })[] = [];
    const ruled = new Set<string>();
    for (const one of this.ring) {
      if (!one || (name !== undefined && one.name !== name)) continue;
      const { id, at, units, capacity, leaseId } = one;
      // The call of a refusal may have been wrong about the name.
      if (leaseId !== undefined && !ruled.has(one.name)) {
        ruled.add(one.name);
        rules.push({ type: 'rule', name: one.name, capacity });
      }
      const kind = kindOf(units, capacity);
      events.push({ type: 'acquire', id, process: this.process, name: one.name, at, kind, units });
      for (const event of [one.outcome, one.renewed, one.end]) if (event) events.push(event as never);
    }
    return [...rules, ...events.sort((a, b) => a.at - b.at)];
  }

  /** The same as JSON, a line for each event; '' when nothing happened. */
  text(name?: string): string {
    return this.recording(name)
      .map((event) => JSON.stringify(event))
      .join('\n');
  }

  private readonly asked = (call: LockAcquireEvent): void => {
    if (call.session === this.session) this.add({ ...this.fresh(call), call });
  };

  private readonly failed = (call: LockAcquireEvent & { readonly error?: unknown }): void => {
    const { code, message } = (call.error ?? {}) as { readonly code?: string; readonly message?: string };
    this.refuse(call, code ?? 'ERROR', message ?? '');
  };

  private readonly refused = ({ acquire, reason }: LockBusyEvent): void => {
    if (acquire) this.refuse(acquire, `LOCK_BUSY:${reason}`, '');
  };

  private refuse(call: LockAcquireEvent, code: string, message: string): void {
    const one = this.waits.get(call);
    if (!one) return;
    this.waits.delete(call);
    one.call = undefined;
    one.outcome ??= { type: 'refused', id: one.id, at: monotonic(), code, message };
  }

  private readonly granted = (event: LockGrantedEvent): void => {
    const { acquire, leaseId, fence, remaining } = event;
    if (!leaseId.startsWith(`${this.session}.`)) return;
    const waiting = acquire && this.waits.get(acquire);
    if (acquire) this.waits.delete(acquire);
    const one = waiting ?? this.add(this.fresh(event));
    const at = monotonic();
    Object.assign(one, { call: undefined, leaseId });
    one.outcome = { type: 'granted', id: one.id, at, until: at + remaining, held: remaining > 0, fence };
    this.held.set(leaseId, one);
  };

  private readonly renewed = ({ leaseId, units, remaining }: LockRenewedEvent): void => {
    const one = this.held.get(leaseId);
    if (!one) return;
    one.units = units;
    const at = monotonic();
    one.renewed = { type: 'sample', id: one.id, at, held: remaining > 0, until: at + remaining };
  };

  private readonly released = ({ leaseId, units }: LockReleasedEvent): void => {
    this.end(leaseId, units, (id, at) => ({ type: 'release', id, at }));
  };

  private readonly lost = ({ leaseId, units, reason }: LockLostEvent): void => {
    this.end(leaseId, units, (id, at) => ({ type: 'lost', id, at, reason }));
  };

  private end(leaseId: string, units: number, event: (id: string, at: number) => LockHistoryEvent): void {
    const one = this.held.get(leaseId);
    if (!one) return;
    this.held.delete(leaseId);
    one.units = units;
    one.end = event(one.id, monotonic());
  }

  private fresh({ name, units, capacity }: LockAcquireEvent | LockGrantedEvent): Acquisition {
    const id = `${this.process}-${(this.count += 1)}`;
    const open = { outcome: undefined, renewed: undefined, end: undefined };
    return { id, name, at: monotonic(), units, capacity, ...open, call: undefined, leaseId: undefined };
  }

  /** Takes the place of the oldest, of which nothing more is kept. */
  private add(one: Acquisition): Acquisition {
    const oldest = this.ring[this.next];
    if (oldest) this.forget(oldest);
    this.ring[this.next] = one;
    this.next = (this.next + 1) % KEPT;
    if (one.call) this.waits.set(one.call, one);
    return one;
  }

  private forget({ call, leaseId }: Acquisition): void {
    if (call) this.waits.delete(call);
    if (leaseId !== undefined) this.held.delete(leaseId);
  }
}

function kindOf(units: number, capacity: number): RecordedKind {
  if (capacity !== WHOLE) return 'permits';
  return units === WHOLE ? 'mutex' : 'read';
}
