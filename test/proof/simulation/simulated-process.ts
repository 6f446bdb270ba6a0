import { LockBusyError, LockError, LockLostError, LockStoreError } from '../../../lib/base/errors.js';
import { Lines } from '../../../lib/line/lines.js';
import { LineLease } from '../../../lib/line/line-lease.js';
import { ContextLeases } from '../../../lib/locks/context-leases.js';
import { LeaseHandle, ReadLease } from '../../../lib/locks/lease-handle.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { UnlockedRuns } from '../../../lib/locks/unlocked-runs.js';
import { WaitHints } from '../../../lib/locks/wait-hints.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import type { Lease } from '../../../lib/locks/lock.js';
import type { Ask, Checker, Held, Parcel } from './checker.js';
import { Life } from './life.js';
import type { Random } from './random.js';
import { guardOf, type CallerPlan, type Schedule, type Taker } from './schedule.js';
import type { SimulatedServer } from './simulated-server.js';
import { SimulatedStore } from './simulated-store.js';
import type { Timeline } from './timeline.js';
import { VirtualClock } from './virtual-clock.js';
import type { LateBytes } from './wire.js';

// One for all: Node carries each storage of an async context through every asynchronous call.
const CONTEXT_LEASES = new ContextLeases<never>();
// A timer may be late by so much.
const LAG = 25;

/** One process: the real line over a simulated store, and the callers that use it. */
export class SimulatedProcess {
  readonly life: Life;
  readonly clock: VirtualClock;
  readonly store: SimulatedStore;
  /** What was promised to callers and is not settled yet. */
  open = 0;
  /** All processes, which a lease may be handed over to. */
  all: readonly SimulatedProcess[] = [];
  private readonly lines: Lines;
  /** It shuts down, and may leave what it could not give back in time. */
  closing = false;
  /** It was stopped, or its clock jumped: it cannot be held to its timers. */
  private disturbedAt = -Infinity;

  constructor(
    private readonly index: number,
    private readonly schedule: Schedule,
    private readonly timeline: Timeline,
    server: SimulatedServer,
    private readonly checker: Checker,
    random: Random,
  ) {
    this.life = new Life(timeline, random.fork());
    this.clock = new VirtualClock(timeline, this.life, schedule.drifts[index] ?? 0, random.fork());
    const world = { timeline, server, life: this.life, random: random.fork(), latency: schedule.latency };
    const deaf = schedule.deaf.includes(index);
    this.store = new SimulatedStore(world, `p${index}`, this.clock, deaf, schedule.native);
    this.lines = new Lines(this.store, this.clock, random.fork().next);
  }

  call(plan: CallerPlan, number: number): void {
    this.life.enter(() => {
      const { name, units, ttl, wait, renews, maxHold, linger } = plan;
      const ask: Ask = { process: this, plan, label: `p${this.index}#${number}`, at: this.timeline.now };
      const controller = new AbortController();
      const identity = `p${this.index}:1`;
      const { capacity } = this.schedule;
      const terms = {
        units,
        capacity,
        ttl,
        guard: guardOf(ttl),
        identity,
        once: wait === 0,
        lingers: linger > 0,
      };
      const since = this.timeline.now;
      this.checker.asked(ask);
      this.open += 1;
      this.lines
        .acquire(
          { name, terms, wait, renews, maxHold, linger, maxWaiters: Infinity, signal: controller.signal },
          { leaseOn: (lease) => lease },
        )
        .then(
          (lease) => this.work(ask, lease),
          (error: unknown) => this.refused(ask, error),
        )
        .finally(() => {
          this.open -= 1;
          this.checkPatience(ask, since);
        });
      if (plan.abortAfter < Infinity) this.later(plan.abortAfter, () => controller.abort());
    });
  }

  pause(): void {
    this.disturbedAt = Infinity;
    this.life.pause();
  }

  resume(): void {
    this.disturbedAt = this.timeline.now;
    this.life.resume();
  }

  jump(by: number): void {
    this.disturbedAt = this.timeline.now;
    this.clock.jump(by);
  }

  kill(late: LateBytes, noticed: number): void {
    this.life.kill();
    this.open = 0;
    this.store.commands.die(late, noticed);
    this.store.notices.die(late, noticed);
  }

  /** As at SIGTERM: the line first, then the connections. */
  shutdown(grace: number): void {
    if (this.closing) return;
    this.closing = true;
    this.life.enter(() => {
      this.open += 1;
      void this.lines
        .close(grace)
        .then(() => this.store.close())
        .finally(() => (this.open -= 1));
    });
  }

  private work(ask: Ask, lease: LineLease): void {
    const held = this.checker.granted(ask, lease);
    const { hold, keep, renewAfter, downgradeAfter, entries, givesAfter } = ask.plan;
    this.open += 1;
    if (renewAfter < hold)
      this.later(renewAfter, () => void held.lease.hold.renewNow().catch(() => undefined));
    if (downgradeAfter < hold) this.later(downgradeAfter, () => this.downgrade(held));
    if (givesAfter < hold) this.later(givesAfter, () => this.handOver(held));
    const release = (): void => {
      if (entries.length > 0) return this.releaseAfterEntries(held);
      this.checker.released(held);
      void held.lease.release(keep).finally(() => (this.open -= 1));
    };
    if (hold > 0) this.later(hold, release);
    else release();
  }

  /** The lease of the API lets the entries in, one after the other, and gives back after the last. */
  private releaseAfterEntries(held: Held): void {
    const { units, entries, entryDowngrades, keep } = held.ask.plan;
    const settings = new LockSettings({});
    const hints = new WaitHints(this.clock, { warn: () => undefined });
    const unlockedRuns = new UnlockedRuns(this.clock, { warn: () => undefined });
    const setup = {
      lines: this.lines,
      clock: this.clock,
      contextLeases: CONTEXT_LEASES,
      settings,
      hints,
      unlockedRuns,
      unreleased: undefined,
    };
    const handle = new (units === WHOLE ? LeaseHandle : ReadLease)(held.lease, setup);
    let left = entries.length;
    let inside = 0;
    const expect = (ok: boolean, what: string): void => {
      if (!ok) this.checker.fail(`${held.ask.label}: ${what}`);
    };
    const seen = (entered: Lease): void => {
      expect(handle.now.lineLease.over !== 'released', 'an entry works under what was given back');
      expect(
        entered.held === (handle.now.lineLease.over === undefined),
        'an entry says otherwise than its hold',
      );
    };
    const work = async (entered: Lease, ms: number, downgrades: boolean): Promise<void> => {
      inside += 1;
      expect(inside === 1, 'two entries work at once');
      seen(entered);
      if (downgrades) {
        void handle.downgrade().catch(() => undefined);
        if (handle.now !== handle) this.checker.downgraded(held, handle.now.lineLease);
      }
      if (ms > 0) await new Promise<void>((resolve) => this.later(ms, resolve));
      seen(entered);
      inside -= 1;
    };
    entries.forEach((ms, index) => {
      handle
        .using((entered) => work(entered, ms, entryDowngrades && index === 0), { wait: 3_600_000 })
        .catch((error: unknown) => expect(error instanceof LockError, `an entry failed: ${String(error)}`))
        .finally(() => {
          if ((left -= 1) === 0) this.checker.released(held);
        });
    });
    void handle.release({ keep, done: 0 }).finally(() => (this.open -= 1));
  }

  /** As the API does: what is over is not made less. */
  private downgrade(held: Held): void {
    if (held.lease.over !== undefined || held.handing) return;
    const { lease, done } = held.lease.downgrade(1);
    this.checker.downgraded(held, lease);
    this.open += 1;
    void done.finally(() => (this.open -= 1));
  }

  /** Hands its lease over; whatever carries it delivers it at least once, or never. */
  private handOver(held: Held): void {
    if (held.lease.over !== undefined) return;
    held.handing = true;
    this.open += 1;
    const { label, plan } = held.ask;
    held.lease
      .handOver({ ttl: plan.givesFor, guard: guardOf(plan.givesFor) })
      .then(
        (given) => {
          const parcel = this.checker.handedOver(held, given);
          for (const taker of plan.takers) {
            const process = this.all[taker.process] as SimulatedProcess;
            process.open += 1;
            this.timeline.after(taker.after, () => process.goOn(parcel, taker));
          }
        },
        (error: unknown) => {
          const expected = error instanceof LockLostError || error instanceof LockStoreError;
          if (!expected) this.checker.fail(`${label} could not hand over: ${String(error)}`);
        },
      )
      .finally(() => {
        held.handing = false;
        this.open -= 1;
      });
  }

  private goOn(parcel: Parcel, { after, hold }: Taker): void {
    this.life.enter(() => {
      const { units, capacity, id } = parcel.given;
      const { name, ttl, renews, maxHold, givesFor } = parcel.ask.plan;
      const label = `p${this.index} for ${parcel.ask.label}`;
      const ask: Ask = {
        process: this,
        plan: { ...parcel.ask.plan, units, keep: 0 },
        label,
        at: this.timeline.now,
      };
      const identity = `p${this.index}:2`;
      const terms = { units, capacity, ttl, guard: guardOf(ttl), identity, once: false };
      const request = { name, terms, wait: 5_000, renews, maxHold, maxWaiters: Infinity, signal: undefined };
      this.timeline.note(() => `${label} wants to go on`);
      this.lines
        .resume(request, id)
        .then(
          (outcome) => {
            if (outcome instanceof LineLease)
              return this.workOn(this.checker.resumed(parcel, ask, outcome), hold);
            this.timeline.note(() => `${label} does not go on: ${outcome.outcome}`);
            const alone = this.schedule.faults.length === 0 && parcel.ask.plan.takers.length === 1;
            if (alone && after < givesFor / 2)
              this.checker.fail(`${label} cannot go on though it comes in time`);
          },
          (error: unknown) => {
            const expected = error instanceof LockBusyError || error instanceof LockStoreError;
            if (!expected) this.checker.fail(`${label} could not go on: ${String(error)}`);
          },
        )
        .finally(() => (this.open -= 1));
    });
  }

  private workOn(held: Held, ms: number): void {
    this.open += 1;
    this.later(ms, () => {
      this.checker.released(held);
      void held.lease.release().finally(() => (this.open -= 1));
    });
  }

  private refused(ask: Ask, error: unknown): void {
    this.checker.refused(ask, String(error));
    const expected = error instanceof LockBusyError || error instanceof LockStoreError;
    if (!expected) this.checker.fail(`${ask.label} was refused: ${String(error)}`);
  }

  /** Nobody waits for longer than it said, whatever the server does. */
  private checkPatience({ plan, label }: Ask, since: number): void {
    const longest = Math.min(
      plan.wait === 0 ? Infinity : plan.wait / (1 + this.clock.drift),
      plan.abortAfter,
    );
    const waited = this.timeline.now - since;
    if (waited > longest + LAG && this.disturbedAt < since)
      this.checker.fail(`${label} waited for ${waited} ms`);
  }

  private later(ms: number, fire: () => void): void {
    this.timeline.after(ms, () => this.life.enter(fire));
  }
}
