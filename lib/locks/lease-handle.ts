import { AsyncResource } from 'node:async_hooks';
import type { Clock, CancelTimer } from '../base/clock.js';
import { shown } from '../base/duration.js';
import { LockLostError, LockUsageError, type LockStoreError } from '../base/errors.js';
import type { LineLease } from '../line/line-lease.js';
import type { HeldLease, Span } from '../line/request.js';
import type { Lines } from '../line/lines.js';
import { checkOptions, checkWork } from './checks.js';
import { type ContextLeases, leasesFrom, type LockMode, type TrackedLease } from './context-leases.js';
import { type CallOrigin, HELD, type WithHeld } from './hidden-options.js';
import { textOf } from './handed-over-lease.js';
import type { AcquireOptions, EntryOptions, HandOverOptions, Lease, WriteLease } from './lock.js';
import type { LockSettings } from './lock-settings.js';
import { namesFor, OPTIONS } from './option-table.js';
import type { UnlockedRuns } from './unlocked-runs.js';
import type { UnreleasedLeases, WatchedLease } from './unreleased-leases.js';
import type { WaitHints } from './wait-hints.js';
import { EntryMutex, type EntryTimeout, type Loss } from './entry-mutex.js';

/** How a lease is given back. Both are milliseconds, 0 for neither: the minimum hold, and the mark of work that was done. */
export interface ReleaseOptions {
  readonly keep: number;
  readonly done: number;
}

/** What the locks of one registration share. Leases with the same setup belong to the same registration. */
export interface LockSetup {
  readonly lines: Lines;
  readonly settings: LockSettings;
  readonly contextLeases: ContextLeases<NamedLease>;
  readonly clock: Clock;
  readonly hints: WaitHints;
  readonly unlockedRuns: UnlockedRuns;
  /** Undefined unless `leakDetectionThreshold` was given. */
  readonly unreleased: UnreleasedLeases | undefined;
}

const ENTRY_OPTIONS = namesFor('entry');
const HAND_OVER_OPTIONS = namesFor('handOver');
const LONGEST_NOTE = 1_024;
// Timers do not notice a jump of the clock, so a lease whose signal was read is looked at once in so many milliseconds.
const LOOK_EVERY = 1_000;

/** The entries that were begun through one lease and have not ended. */
class Entries {
  readonly mutex: EntryMutex;
  open = 0;
  /** Called when the last of them has ended. */
  whenOver: (() => void) | undefined;

  constructor(name: string, setup: LockSetup) {
    this.mutex = new EntryMutex(name, setup.lines.setup.waiting);
  }

  end(): void {
    this.open -= 1;
    if (this.open === 0) this.whenOver?.();
  }
}

/** A lease as the library itself gives it back: with options that users do not have. */
export interface TakenLease extends WatchedLease {
  release(terms?: ReleaseOptions): Promise<'released' | 'expired'>;
  /** Loses the lease with reason `closed`, as a shutdown does at its end. */
  loseAtShutdown(): void;
}

/** A lease on one name that more work can enter: the one that was taken, or an entry of it. */
export abstract class NamedLease implements WriteLease, TrackedLease<NamedLease>, Loss {
  /** Declared only: few leases are ever entered. */
  declare entries?: Entries | undefined;
  /** The lease that was taken. */
  abstract readonly root: LeaseHandle;
  abstract readonly setup: LockSetup;
  abstract readonly mode: LockMode;
  abstract readonly now: NamedLease;
  /** Whether it lets no more entries in. It may still be held for the present ones. */
  abstract readonly released: boolean;
  abstract readonly signal: AbortSignal;
  abstract readonly held: boolean;
  abstract readonly remaining: number;
  abstract readonly atRisk: boolean;

  abstract assertHeld(): void;
  abstract renew(ttl?: number): Promise<void>;
  abstract release(terms?: ReleaseOptions): Promise<'released' | 'expired'>;
  abstract downgrade(): Promise<Lease>;
  abstract handOver(options?: HandOverOptions): Promise<string>;

  get name(): string {
    return this.root.lineLease.name;
  }

  get names(): readonly string[] {
    return [this.name];
  }

  get fence(): number {
    return this.root.lineLease.fence;
  }

  get replicas(): number {
    return this.root.lineLease.hold.replicas ?? 0;
  }

  get previous(): string | undefined {
    return this.root.lineLease.previous;
  }

  async note(text: string): Promise<void> {
    if (typeof text !== 'string' || Buffer.byteLength(text) > LONGEST_NOTE)
      throw new LockUsageError(
        `A note is a text of 0 to ${LONGEST_NOTE} bytes; it was ${
          typeof text === 'string' ? `one of ${Buffer.byteLength(text)} bytes` : shown(text)
        }.`,
        this.name,
      );
    if (this.now.mode !== 'write')
      throw new LockUsageError(
        `The lease of '${this.name}' may be held by several at a time, and a name has one note: only a mutex or a ` +
          'writer leaves one.',
        this.name,
      );
    this.assertHeld();
    const { lineLease } = this.root;
    if (lineLease.handingOver)
      throw new LockUsageError(`'${this.name}' is being handed over: leave the note before that.`, this.name);
    await lineLease.note(text);
    this.assertHeld();
  }

  fenceOf(name: string): number {
    if (this.partOn(name) ?? this.partOn(this.setup.settings.nameNow(name))) return this.fence;
    throw new LockUsageError(`This lease is on '${this.name}', not on '${name}'.`, name);
  }

  /** The lease on one of its names. */
  partOn(name: string): NamedLease | undefined {
    return name === this.name ? this : undefined;
  }

  get leftAlone(): number {
    const { lineLease } = this.root.now;
    const { hold, over, remaining } = lineLease;
    if (over !== undefined || !hold.renews) return remaining;
    return hold.endsAt - this.setup.clock.now();
  }

  /** How it was lost; undefined while it is held, and when it was released in time. */
  get loss(): LockLostError | undefined {
    return this.root.now.lineLease.loss;
  }

  /** Calls `listener` once when the store or a shutdown ends it, also after a downgrade. Returns what takes it back. */
  onLoss(listener: () => void): () => void {
    return this.root.now.lineLease.onLoss(listener);
  }

  /** Whether listeners were told that it is at risk, and it still is. */
  get toldRisk(): boolean {
    return this.root.now.lineLease.toldRisk;
  }

  onAtRisk(listener: () => void): () => void {
    return listenForRisk(this, listener, (told) => this.whenAtRisk(told));
  }

  /** Calls `told` whenever it becomes at risk. */
  whenAtRisk(told: () => void): () => void {
    return this.root.now.lineLease.onAtRisk(told);
  }

  loseAtShutdown(): void {
    this.root.now.lineLease.lose('closed');
  }

  async using<T>(work: (lease: Lease) => T | PromiseLike<T>, options: EntryOptions = {}): Promise<T> {
    checkEntry(work, options, this.name);
    return enter(
      this.setup,
      [{ lease: this, mode: this.now.mode }],
      ([only]) => only as Lease,
      work,
      options,
    );
  }

  /** Sends the release, without waiting for its answer. @throws LockUsageError as `release` */
  [Symbol.asyncDispose](): Promise<void> {
    const { releaseRefusal } = this.root;
    if (releaseRefusal) return Promise.reject(releaseRefusal);
    void this.release();
    return Promise.resolve();
  }
}

/** The lease of one name that a user holds, with all units of it. */
export class LeaseHandle extends NamedLease {
  // Declared only, all of them, since few leases have one, and a process may hold many leases.
  /** The lease that replaced this one. */
  declare private downgraded?: ReadLease;
  declare private controller?: AbortController;
  declare private abort?: () => void;
  declare private cancelTimer?: CancelTimer;
  /** A release that waits for the entries. */
  declare private releasing?: Promise<'released' | 'expired'> | undefined;
  /** The call that ends the lease itself, so that nobody else may go on with it. */
  declare staysWith?: 'once' | 'lead';

  constructor(
    readonly lineLease: LineLease,
    readonly setup: LockSetup,
  ) {
    super();
  }

  get root(): this {
    return this;
  }

  get mode(): LockMode {
    return 'write';
  }

  get now(): LeaseHandle {
    return this.downgraded ?? this;
  }

  get released(): boolean {
    const { releasing, lineLease } = this.now;
    return releasing !== undefined || lineLease.handingOver || lineLease.over === 'released';
  }

  get held(): boolean {
    return this.lineLease.over === undefined;
  }

  get remaining(): number {
    return this.lineLease.remaining;
  }

  get atRisk(): boolean {
    return this.lineLease.atRisk;
  }

  get signal(): AbortSignal {
    const { signal } = (this.controller ??= this.watched());
    // No timer has fired yet if the clock has jumped, or while the event loop is blocked.
    if (!signal.aborted && this.now.lineLease.over !== undefined) this.abort?.();
    return signal;
  }

  assertHeld(): void {
    const over = this.lineLease.over;
    if (over !== undefined) throw this.lineLease.lostError(over);
  }

  async renew(ttl?: number): Promise<void> {
    this.assertHeld();
    await this.lineLease.renew(this.spanOf(ttl));
    this.assertHeld();
  }

  /** Whether the work of this name was done before (run once). */
  get workDone(): boolean {
    return this.lineLease.hold.workDoneAt !== undefined;
  }

  /** Why the work of `once` may not give it back: nothing would say that the work is done. Undefined when it may be released. */
  get releaseRefusal(): LockUsageError | undefined {
    if (this.staysWith !== 'once' || this.releasing || !this.now.held) return undefined;
    return new LockUsageError(
      `The lease of '${this.name}' cannot be released by its work: it is the lease of once(), which gives it back itself, ` +
        'with the mark that the work is done.',
      this.name,
    );
  }

  /**
   * Gives it back at once, or when the last entry that was begun through it has ended. Rejects with LockUsageError for the
   * work of `once`, which does so itself.
   */
  release(terms?: ReleaseOptions): Promise<'released' | 'expired'> {
    if (this.releasing) return this.releasing;
    const refusal = terms === undefined ? this.releaseRefusal : undefined;
    if (refusal) return Promise.reject(refusal);
    if (this.downgraded) {
      this.cancelTimer?.();
      return this.downgraded.release(terms);
    }
    const { entries } = this;
    if (!entries || entries.open === 0) return this.giveBack(terms);
    const { clock } = this.setup;
    const asked = clock.now();
    return (this.releasing = new Promise((resolve) => {
      entries.whenOver = () => {
        const keep = Math.max(0, Math.ceil((terms?.keep ?? 0) - (clock.now() - asked)));
        // An entry may have downgraded it in the meantime.
        resolve(this.now.giveBack({ keep, done: terms?.done ?? 0 }));
      };
    }));
  }

  async downgrade(): Promise<Lease> {
    if (this.downgraded) return this.downgraded;
    if (this.mode !== 'write')
      throw new LockUsageError(
        `The lease of '${this.name}' is not a writer's: there is nothing to downgrade.`,
      );
    this.assertHeld();
    if (this.lineLease.handingOver)
      throw this.noHandOver('it is being handed over, so it cannot be downgraded');
    const { lease: lineLease, done } = this.lineLease.downgrade(1);
    this.downgraded = new ReadLease(lineLease, this.setup);
    if (this.staysWith) this.downgraded.staysWith = this.staysWith;
    if (this.entries) this.downgraded.entries = this.entries; // present entries go on as readers
    if (this.releasing) this.downgraded.releasing = this.releasing; // and when they have ended, a pending release takes place
    await done;
    this.downgraded.assertHeld();
    return this.downgraded;
  }

  async handOver(options: HandOverOptions = {}): Promise<string> {
    const { name, setup, lineLease, staysWith } = this;
    checkOptions(options, name, HAND_OVER_OPTIONS);
    const span = this.spanOf(options.ttl);
    if (staysWith) throw this.noHandOver(`it is the lease of ${staysWith}(), which gives it back itself`);
    if (this.downgraded)
      throw this.noHandOver('it was downgraded; hand over the lease that downgrade() gave');
    if (lineLease.handingOver && this.held) throw this.noHandOver('that was asked for before');
    this.assertHeld();
    if (this.entries && this.entries.open > 0)
      throw this.noHandOver('work that has entered it is not done, and would lose the lock');
    if (this.releasing) throw lineLease.lostError('released');
    const given = await lineLease.handOver(span);
    this.cancelTimer?.();
    return textOf({ ...given, name, prefix: setup.lines.setup.store.prefix });
  }

  /** Undefined for no ttl. @throws LockUsageError */
  private spanOf(ttl: unknown): Span | undefined {
    return ttl === undefined ? undefined : this.setup.settings.spanOf(OPTIONS.ttl.check(ttl, this.name));
  }

  private noHandOver(why: string): LockUsageError {
    return new LockUsageError(`The lease of '${this.name}' cannot be handed over: ${why}.`, this.name);
  }

  private giveBack(terms?: ReleaseOptions): Promise<'released' | 'expired'> {
    this.cancelTimer?.();
    return this.lineLease.release(terms?.keep, terms?.done);
  }

  private watched(): AbortController {
    // Listeners run in the async context of the code that asked for the signal, not of the code that notices the loss.
    const abort = (this.abort = AsyncResource.bind(() => this.abortWhenLost()));
    if (this.now.lineLease.over === undefined) {
      this.onLoss(abort);
      this.watch(abort);
    }
    return new AbortController();
  }

  /** Looks again at the deadline, which may have moved by then, or may have passed in a jump of the clock. */
  private watch(abort: () => void): void {
    const next = Math.min(this.now.lineLease.remaining, LOOK_EVERY);
    this.cancelTimer = this.setup.clock.after(next, () => {
      if (this.now.lineLease.over === undefined) this.watch(abort);
      else abort();
    });
  }

  private abortWhenLost(): void {
    this.cancelTimer?.();
    const { loss } = this;
    if (loss) this.controller?.abort(loss);
  }
}

/** The lease of a reader. */
export class ReadLease extends LeaseHandle {
  override get mode(): LockMode {
    return 'read';
  }
}

/** The lease of some permits, which cannot be entered. */
export class PermitLease extends LeaseHandle {
  override get mode(): LockMode {
    return 'permits';
  }
}

/** One entry into a lease: held while its work runs and the lease is held. */
export class EnteredLease extends NamedLease {
  private over = false;
  /** Set when its own work has given the lease back: it lets nobody in any more, but stays held until it ends. */
  private releasing: Promise<'released' | 'expired'> | undefined;
  private unlock: (() => void) | undefined;
  private readonly counted: Entries;

  /** Counts as an entry from now on, so the lease outlives it. @throws LockLostError when the lease is lost or given back */
  constructor(
    private readonly outer: NamedLease,
    private readonly asked: LockMode,
  ) {
    super();
    if (outer.mode === 'permits') throw noEntry(outer.name);
    if (outer.released) throw outer.root.lineLease.lostError('released');
    outer.assertHeld();
    this.counted = outer.entries ??= new Entries(outer.name, outer.setup);
    this.counted.open += 1;
  }

  get root(): LeaseHandle {
    return this.outer.root;
  }

  get setup(): LockSetup {
    return this.outer.setup;
  }

  get mode(): LockMode {
    return this.asked === 'read' ? 'read' : this.root.now.mode;
  }

  get now(): this {
    return this;
  }

  get released(): boolean {
    // After its holder has given the lease back, the lease is kept for this entry, which goes on as before.
    return this.over || this.releasing !== undefined;
  }

  get held(): boolean {
    return !this.over && this.root.now.held;
  }

  get remaining(): number {
    return this.over ? 0 : this.root.now.remaining;
  }

  get atRisk(): boolean {
    return !this.over && this.root.now.atRisk;
  }

  override whenAtRisk(told: () => void): () => void {
    return super.whenAtRisk(() => this.over || told());
  }

  get signal(): AbortSignal {
    return this.root.now.signal;
  }

  assertHeld(): void {
    if (this.over) throw this.root.lineLease.lostError('released');
    this.root.now.assertHeld();
  }

  async renew(ttl?: number): Promise<void> {
    this.assertHeld();
    await this.root.now.renew(ttl);
  }

  /** Gives back the whole lease once all entries have ended. */
  release(terms?: ReleaseOptions): Promise<'released' | 'expired'> {
    if (!this.over && this.root.releaseRefusal) return this.root.release(terms);
    return (this.releasing ??= this.over ? Promise.resolve('expired') : this.root.release(terms));
  }

  async downgrade(): Promise<Lease> {
    this.assertHeld();
    await this.root.downgrade();
    return this;
  }

  /** The lease outlives this entry, and others may enter it. */
  handOver(): Promise<string> {
    return Promise.reject(
      new LockUsageError(
        `This lease of '${this.name}' is an entry of another one and ends with its work: hand over the lease that was ` +
          'taken, when nobody has entered it.',
        this.name,
      ),
    );
  }

  /** Waits until no other entry works. @throws LockBusyError */
  async begin(timeout: EntryTimeout, place: string | undefined): Promise<void> {
    const { setup, counted, name } = this;
    // The entry that works now may be awaiting this one.
    const inside =
      counted.mutex.locked &&
      setup.contextLeases
        .all()
        .some(({ lease }) => lease instanceof EnteredLease && lease.counted === counted);
    const stopHint = inside ? setup.hints.watch(name, 'entry', place) : undefined;
    try {
      this.unlock = await counted.mutex.lock(timeout, this);
    } finally {
      stopHint?.();
    }
  }

  /** Its work is done. The next entry may work when the entries that were begun through this one have ended, too. */
  end(): void {
    if (this.over) return;
    this.over = true;
    const { entries } = this;
    if (entries && entries.open > 0) entries.whenOver = () => this.leave();
    else this.leave();
  }

  private leave(): void {
    this.unlock?.();
    this.counted.end();
  }
}

/**
 * What a call holds while it waits: the leases of its async context, and those that its options tell. It is looked up at
 * each call, since work ends and leases are given back meanwhile. Undefined when it holds nothing.
 */
export function heldBy(
  { contextLeases }: LockSetup,
  options: AcquireOptions,
): (() => readonly HeldLease[]) | undefined {
  const { [HELD]: more } = options as WithHeld<NamedLease>;
  const { frame } = contextLeases;
  if (!frame && !more) return undefined;
  return () => {
    const latest = (more ?? []).filter(({ released }) => !released).reverse();
    const around = leasesFrom(frame).map(({ lease }) => lease);
    return [...latest, ...around].map(({ root }) => root.now.lineLease);
  };
}

/** A lease to be entered, and how. */
export interface EntryPlan {
  readonly lease: NamedLease;
  readonly mode: LockMode;
}

/** Begins entries: the leases are kept until each of them has ended. @throws LockLostError */
export function beginEntries(plans: readonly EntryPlan[]): readonly EnteredLease[] {
  const entered: EnteredLease[] = [];
  try {
    for (const { lease, mode } of plans) entered.push(new EnteredLease(lease.now, mode));
  } catch (error) {
    for (const each of entered) each.end();
    throw error;
  }
  return entered;
}

/**
 * Runs `work` inside leases that are held already, without asking the store. Entries through one lease take turns, and
 * the lease is given back only when they have ended. `whole` makes the lease that is given to the work.
 *
 * @throws LockBusyError when another entry works for longer than `wait`
 * @throws LockLostError when the lease was lost, before or while the work ran, or given back (reason `released`)
 * @throws LockUsageError for an entry that writes under a lease that reads
 */
export async function enter<L extends Lease, T>(
  setup: LockSetup,
  plans: readonly EntryPlan[],
  whole: (entered: readonly EnteredLease[]) => L,
  work: (lease: L) => T | PromiseLike<T>,
  { wait, signal }: EntryOptions,
  origin?: CallOrigin,
  entered = beginEntries(plans),
): Promise<T> {
  const { contextLeases, settings, clock } = setup;
  try {
    OPTIONS.signal.check(signal, plans[0]?.lease.name ?? '');
    const timeout = settings.waitOf({ wait });
    const until = clock.now() + timeout;
    for (const each of entered)
      await each.begin({ wait: timeout && Math.max(1, until - clock.now()), signal }, origin?.place);
    plans.forEach(({ lease, mode }) => {
      if (mode === 'write' && lease.now.mode === 'read') throw upgrade(lease.name);
    });
    for (const each of entered) each.assertHeld();
    const lease = whole(entered);
    const inner = contextLeases.open(entered, lease, origin, contextLeases.frame);
    // A loss never hides the outcome of the work: the error carries it.
    let outcome: Outcome<T>;
    try {
      const result = await contextLeases.begin(inner, lease, work);
      origin?.checkResult?.(result);
      outcome = { result };
    } catch (cause) {
      outcome = { cause };
    }
    contextLeases.close(inner, lease);
    return concluded(lossOf(entered), outcome);
  } finally {
    for (const each of entered) each.end();
  }
}

/** How work ended. */
export type Outcome<T> = { result: T } | { cause: unknown };

/** Returns or throws the outcome of the work. @throws LockLostError with the outcome attached, when the lease was lost */
export function concluded<T>(loss: LockLostError | undefined, outcome: Outcome<T>): T {
  if (loss)
    throw 'cause' in outcome && sameLoss(outcome.cause, loss) ? outcome.cause : loss.withOutcome(outcome);
  if ('cause' in outcome) throw outcome.cause;
  return outcome.result;
}

/** The loss of one of the leases under which work ran. */
export function lossOf(leases: readonly NamedLease[]): LockLostError | undefined {
  for (const { loss } of leases) if (loss) return loss;
  return undefined;
}

/** Whether the work itself threw this loss, which then needs no second error around it. */
function sameLoss(cause: unknown, loss: LockLostError): boolean {
  return cause instanceof LockLostError && cause.lockName === loss.lockName && cause.fence === loss.fence;
}

/** @throws LockUsageError for work that is no function, and for options that are no object */
export function checkEntry(
  work: unknown,
  options: unknown,
  name: string,
  known: ReadonlySet<string> = ENTRY_OPTIONS,
): void {
  checkWork(work, name);
  checkOptions(options, name, known);
}

/** The error for a reader that asks to write. Two of them would wait for each other. */
export function upgrade(name: string): LockUsageError {
  return new LockUsageError(
    `The running call reads under '${name}' and asks to write: two readers that do so would wait for ` +
      'each other for ever. Take the write lock from the start, and downgrade it when reading is enough.',
    name,
  );
}

/** The error for a call that would enter a semaphore. */
export function noEntry(name: string): LockUsageError {
  return new LockUsageError(
    `'${name}' is a semaphore, and its permits cannot be entered again: each call takes its own. ` +
      'Take as many units as you need at once.',
    name,
  );
}

/** One lease on several names: held while all of its parts are. */
export class LeaseBundle implements Lease {
  private combined: AbortSignal | undefined;

  constructor(
    readonly parts: readonly NamedLease[],
    readonly setup: LockSetup,
  ) {}

  get names(): readonly string[] {
    return this.parts.flatMap(({ names }) => names);
  }

  get fence(): number {
    const [only] = this.parts;
    if (only && this.parts.length === 1) return only.fence;
    throw new LockUsageError(
      `This lease has ${this.parts.length} names and a fence for each: use fenceOf(name).`,
    );
  }

  get replicas(): number {
    return Math.min(...this.parts.map(({ replicas }) => replicas));
  }

  get previous(): string | undefined {
    return this.only('previous').previous;
  }

  async note(text: string): Promise<void> {
    await this.only('note').note(text);
  }

  async handOver(options?: HandOverOptions): Promise<string> {
    return this.only('handOver').handOver(options);
  }

  /** Its only part. @throws LockUsageError when it has several */
  private only(member: string): NamedLease {
    const [only] = this.parts;
    if (only && this.parts.length === 1) return only;
    throw new LockUsageError(
      `This lease has the names '${this.names.join("', '")}', and ${member} is for a lease of one name: take it by itself.`,
    );
  }

  fenceOf(name: string): number {
    const part = this.partOn(name) ?? this.partOn(this.setup.settings.nameNow(name));
    if (part) return part.fence;
    throw new LockUsageError(`This lease is on '${this.names.join("', '")}', not on '${name}'.`, name);
  }

  /** The lease on one of its names. */
  partOn(name: string): NamedLease | undefined {
    return this.parts.find((part) => part.name === name);
  }

  get signal(): AbortSignal {
    const signals = this.parts.map(({ signal }) => signal); // aborts those of parts that are lost by now
    return (this.combined ??= AbortSignal.any(signals));
  }

  get held(): boolean {
    return this.parts.every(({ held }) => held);
  }

  get remaining(): number {
    return Math.min(...this.parts.map(({ remaining }) => remaining));
  }

  get leftAlone(): number {
    return Math.min(...this.parts.map(({ leftAlone }) => leftAlone));
  }

  get atRisk(): boolean {
    return this.held && this.parts.some(({ atRisk }) => atRisk);
  }

  get toldRisk(): boolean {
    return this.parts.some(({ toldRisk }) => toldRisk);
  }

  onAtRisk(listener: () => void): () => void {
    return listenForRisk(this, listener, (told) => {
      const taken = this.parts.map((part) =>
        // One silence of all: it begins with the first of them.
        part.whenAtRisk(() => this.parts.some((other) => other !== part && other.toldRisk) || told()),
      );
      return () => taken.forEach((takeBack) => takeBack());
    });
  }

  assertHeld(): void {
    for (const part of this.parts) part.assertHeld();
  }

  async renew(ttl?: number): Promise<void> {
    await Promise.all(this.parts.map((part) => part.renew(ttl)));
  }

  async release(terms?: ReleaseOptions): Promise<'released' | 'expired'> {
    const answers = await Promise.all(this.parts.map((part) => part.release(terms)));
    return answers.includes('expired') ? 'expired' : 'released';
  }

  loseAtShutdown(): void {
    for (const part of this.parts) part.loseAtShutdown();
  }

  async using<T>(work: (lease: Lease) => T | PromiseLike<T>, options: EntryOptions = {}): Promise<T> {
    checkEntry(work, options, this.names[0] ?? '');
    const { setup } = this;
    const plans = this.parts.map((lease) => ({ lease, mode: lease.now.mode }));
    return enter(setup, plans, (entered) => new LeaseBundle(entered, setup), work, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    const refused = this.parts.find(({ root }) => root.releaseRefusal);
    if (refused) return refused[Symbol.asyncDispose]();
    void this.release();
    return Promise.resolve();
  }
}

/**
 * Has `listener` called in the context of whoever gave it, whenever `register` tells: soon, if that was told before.
 *
 * @throws LockUsageError when the listener is no function
 */
function listenForRisk(
  lease: { readonly names: readonly string[]; readonly toldRisk: boolean },
  listener: unknown,
  register: (told: () => void) => () => void,
): () => void {
  if (typeof listener !== 'function')
    throw new LockUsageError(`onAtRisk takes a function; it was ${shown(listener)}.`, lease.names[0]);
  let over = false;
  const told = AsyncResource.bind((): void => {
    if (over) return;
    try {
      Reflect.apply(listener, undefined, []);
    } catch (error) {
      // As for the listeners of a signal: whoever renews leases goes on.
      process.nextTick(() => {
        throw error;
      });
    }
  });
  const takeBack = register(told);
  if (lease.toldRisk) void Promise.resolve().then(told);
  return () => {
    over = true;
    takeBack();
  };
}

/**
 * The lease of work that runs without the lock (`onStoreError: 'run'`): it is not held, and says so.
 */
export class UnprotectedLease implements Lease {
  readonly held = false;
  readonly remaining = 0;
  readonly leftAlone = 0;
  readonly atRisk = false;
  readonly replicas = 0;
  readonly previous = undefined;
  /** Never aborts: nothing can be lost, and work that passes the signal on should run. */
  readonly signal: AbortSignal = new AbortController().signal;

  constructor(
    readonly names: readonly string[],
    readonly reason: LockStoreError,
  ) {}

  get fence(): number {
    return this.fenceOf(this.names[0] ?? '');
  }

  fenceOf(name: string): number {
    throw new LockUsageError(
      `'${name}' has no fence: the work runs without the lock (onStoreError: 'run').`,
      name,
    );
  }

  /** It has no part that could be entered, so other names are taken. */
  partOn(_name: string): undefined {
    return undefined;
  }

  /** Nothing can be lost, so nothing is at risk. */
  onAtRisk(): () => void {
    return () => undefined;
  }

  assertHeld(): void {
    throw this.reason;
  }

  renew(): Promise<void> {
    return Promise.reject(this.reason);
  }

  handOver(): Promise<string> {
    return Promise.reject(this.reason);
  }

  note(): Promise<void> {
    return Promise.reject(this.reason);
  }

  release(): Promise<'expired'> {
    return Promise.resolve('expired');
  }

  /** There is nothing to lose. */
  loseAtShutdown(): void {}

  /** Runs the work without the lock, like the work around it. */
  async using<T>(work: (lease: Lease) => T | PromiseLike<T>): Promise<T> {
    return work(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
