import { AsyncResource } from 'node:async_hooks';
import type { Clock, CancelTimer } from '../base/clock.js';
import { shown } from '../base/duration.js';
import { LockLostError, LockUsageError, type LockStoreError } from '../base/errors.js';
import type { Lease as LineLease } from '../line/lease.js';
import type { Lines } from '../line/lines.js';
import { checkOptions } from './checks.js';
import type { HeldLeases, LockMode, OwnLease } from './held-leases.js';
import type { CallOrigin } from './hidden-options.js';
import type { EntryOptions, Lease, WriteLease } from './lease.js';
import type { LockSettings } from './lock-settings.js';
import { namesFor, OPTIONS } from './option-table.js';
import type { SelfWaitHints } from './self-wait-hints.js';
import { Turns, type Patience } from './turns.js';

/** How a lease may be given back. Spans are milliseconds; 0 for not. */
export interface ReleaseTerms {
  readonly keep: number;
  readonly done: number;
}

/** What the locks of one registration share. Two leases with the same one are of the same registration. */
export interface LockContext {
  readonly line: Lines;
  readonly settings: LockSettings;
  readonly held: HeldLeases<NamedLease>;
  readonly clock: Clock;
  readonly hints: SelfWaitHints;
}

const ENTRY_OPTIONS = namesFor('entry');

/** The entries that were begun through one lease and have not ended. */
class Entries {
  readonly turns: Turns;
  open = 0;
  /** What waits for the last of them. */
  whenOver: (() => void) | undefined;

  constructor(name: string, context: LockContext) {
    this.turns = new Turns(name, context.line.setup.waiting);
  }

  end(): void {
    this.open -= 1;
    if (this.open === 0) this.whenOver?.();
  }
}

/** A lease as the lock that took it gives it back: on terms that no user gives. */
export interface TakenLease extends Lease {
  release(terms?: ReleaseTerms): Promise<'released' | 'expired'>;
}

/** A lease on one name into which more work can be let: the one that was taken, or an entry of it. */
export abstract class NamedLease implements WriteLease, OwnLease<NamedLease> {
  /** None before the first entry: few leases ever have one. */
  entries: Entries | undefined;
  /** The lease that was taken. */
  abstract readonly root: LeaseHandle;
  abstract readonly context: LockContext;
  abstract readonly mode: LockMode;
  abstract readonly now: NamedLease;
  /** Whether no more entries are let in, though it may still be held for those that were. */
  abstract readonly released: boolean;
  abstract readonly signal: AbortSignal;
  abstract readonly held: boolean;
  abstract readonly remaining: number;

  abstract assertHeld(): void;
  abstract renew(ttl?: number): Promise<void>;
  abstract release(terms?: ReleaseTerms): Promise<'released' | 'expired'>;
  abstract downgrade(): Promise<Lease>;

  get name(): string {
    return this.root.tenure.name;
  }

  get names(): readonly string[] {
    return [this.name];
  }

  get fence(): number {
    return this.root.tenure.fence;
  }

  fenceOf(name: string): number {
    if (name === this.name) return this.fence;
    throw new LockUsageError(`This lease is on '${this.name}', not on '${name}'.`, name);
  }

  /** The lease on one of its names. */
  partOn(name: string): NamedLease | undefined {
    return name === this.name ? this : undefined;
  }

  async using<T>(work: (lease: Lease) => T | PromiseLike<T>, options: EntryOptions = {}): Promise<T> {
    checkEntry(work, options, this.name);
    return enter(
      this.context,
      [{ lease: this, mode: this.now.mode }],
      ([only]) => only as Lease,
      work,
      options,
    );
  }

  /** Sends the release and does not await its answer. */
  [Symbol.asyncDispose](): Promise<void> {
    void this.release();
    return Promise.resolve();
  }
}

/** The lease of one name that a user holds, with all units of it. */
export class LeaseHandle extends NamedLease {
  /** The lease that took this one's place. */
  private reading: ReadLease | undefined;
  private controller: AbortController | undefined;
  private abort: (() => void) | undefined;
  private cancelTimer: CancelTimer | undefined;
  private leaving: Promise<'released' | 'expired'> | undefined;

  constructor(
    readonly tenure: LineLease,
    readonly context: LockContext,
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
    return this.reading ?? this;
  }

  get released(): boolean {
    const { now } = this;
    return now.leaving !== undefined || now.tenure.over === 'released';
  }

  get held(): boolean {
    return this.tenure.over === undefined;
  }

  get remaining(): number {
    return this.tenure.remaining;
  }

  get signal(): AbortSignal {
    if (this.controller) return this.controller.signal;
    const controller = (this.controller = new AbortController());
    // Listeners run in the context of whoever asked for the signal, not of whatever finds the loss.
    const abort = (this.abort = AsyncResource.bind(() => this.abortWhenLost()));
    if (this.now.tenure.over === undefined) {
      this.now.tenure.onLoss(abort);
      this.watch(abort);
    } else this.abortWhenLost();
    return controller.signal;
  }

  assertHeld(): void {
    const over = this.tenure.over;
    if (over !== undefined) throw this.tenure.lostError(over);
  }

  async renew(ttl?: number): Promise<void> {
    this.assertHeld();
    await this.tenure.renew(ttl === undefined ? undefined : OPTIONS.ttl.check(ttl, this.name));
    this.assertHeld();
  }

  /** Whether the work of this name was done before (run once). */
  get workDone(): boolean {
    return this.tenure.hold.workDone;
  }

  /** At once, or when the last entry has ended that was begun through it. */
  release(terms?: ReleaseTerms): Promise<'released' | 'expired'> {
    if (this.leaving) return this.leaving;
    if (this.reading) {
      this.cancelTimer?.();
      return this.reading.release(terms);
    }
    const { entries } = this;
    if (!entries || entries.open === 0) return this.giveBack(terms);
    const { clock } = this.context;
    const asked = clock.now();
    return (this.leaving = new Promise((resolve) => {
      entries.whenOver = () => {
        const keep = Math.max(0, Math.ceil((terms?.keep ?? 0) - (clock.now() - asked)));
        // An entry may have downgraded it meanwhile.
        resolve(this.now.giveBack({ keep, done: terms?.done ?? 0 }));
      };
    }));
  }

  async downgrade(): Promise<Lease> {
    if (this.reading) return this.reading;
    if (this.mode !== 'write')
      throw new LockUsageError(
        `The lease of '${this.name}' is not a writer's: there is nothing to downgrade.`,
      );
    this.assertHeld();
    const { lease: tenure, done } = this.tenure.downgrade(1);
    this.reading = new ReadLease(tenure, this.context);
    this.reading.entries = this.entries; // those who were let in go on as readers
    this.reading.leaving = this.leaving; // and when they have ended, a release that was asked for takes place
    if (this.abort) tenure.onLoss(this.abort); // and whoever listens to the signal of before hears of a loss
    await done;
    this.reading.assertHeld();
    return this.reading;
  }

  private giveBack(terms?: ReleaseTerms): Promise<'released' | 'expired'> {
    this.cancelTimer?.();
    return this.tenure.release(terms?.keep, terms?.done);
  }

  /** The deadline may move: looks again when it was to pass. */
  private watch(abort: () => void): void {
    this.cancelTimer = this.context.clock.after(this.now.tenure.remaining, () => {
      if (this.now.tenure.over === undefined) this.watch(abort);
      else abort();
    });
  }

  private abortWhenLost(): void {
    this.cancelTimer?.();
    const { loss } = this.now.tenure;
    if (loss) this.controller?.abort(loss);
  }
}

/** The lease of a reader. */
export class ReadLease extends LeaseHandle {
  override get mode(): LockMode {
    return 'read';
  }
}

/** The lease of some permits, which nobody enters again. */
export class PermitLease extends LeaseHandle {
  override get mode(): LockMode {
    return 'permits';
  }
}

/** One entry into a lease: held while its work runs and the lease is held. */
export class EnteredLease extends NamedLease {
  private over = false;
  /** Its own work gave the lease back: it lets nobody in any more, but is held until it ends. */
  private leaving: Promise<'released' | 'expired'> | undefined;
  private endTurn: (() => void) | undefined;
  private readonly counted: Entries;

  /** Counts from now on: the lease outlives it. @throws LockLostError when the lease is lost, or given back */
  constructor(
    private readonly outer: NamedLease,
    private readonly asked: LockMode,
  ) {
    super();
    if (outer.mode === 'permits') throw noEntry(outer.name);
    if (outer.released) throw outer.root.tenure.lostError('released');
    outer.assertHeld();
    this.counted = outer.entries ??= new Entries(outer.name, outer.context);
    this.counted.open += 1;
  }

  get root(): LeaseHandle {
    return this.outer.root;
  }

  get context(): LockContext {
    return this.outer.context;
  }

  get mode(): LockMode {
    return this.asked === 'read' ? 'read' : this.root.now.mode;
  }

  get now(): this {
    return this;
  }

  get released(): boolean {
    // When the holder has given the lease back, it is kept for this entry, which goes on as before.
    return this.over || this.leaving !== undefined;
  }

  get held(): boolean {
    return !this.over && this.root.now.held;
  }

  get remaining(): number {
    return this.over ? 0 : this.root.now.remaining;
  }

  get signal(): AbortSignal {
    return this.root.now.signal;
  }

  assertHeld(): void {
    if (this.over) throw this.root.tenure.lostError('released');
    this.root.now.assertHeld();
  }

  async renew(ttl?: number): Promise<void> {
    this.assertHeld();
    await this.root.now.renew(ttl);
  }

  /** Gives back the whole lease, when all entries have ended. */
  release(terms?: ReleaseTerms): Promise<'released' | 'expired'> {
    return (this.leaving ??= this.over ? Promise.resolve('expired') : this.root.release(terms));
  }

  async downgrade(): Promise<Lease> {
    this.assertHeld();
    await this.root.downgrade();
    return this;
  }

  /** Waits until no sibling works. @throws LockBusyError */
  async begin(patience: Patience, place: string | undefined): Promise<void> {
    const { context, counted, name } = this;
    // Whoever works in a sibling has its turn, and may await this one.
    const inside =
      counted.turns.occupied &&
      context.held.all().some(({ lease }) => lease instanceof EnteredLease && lease.counted === counted);
    const stopHint = inside ? context.hints.watch(name, 'turn', place) : undefined;
    try {
      this.endTurn = await counted.turns.take(patience, this.root.now.tenure);
    } finally {
      stopHint?.();
    }
  }

  /** Its work is done. The siblings' turn comes when what was begun through it has ended, too. */
  end(): void {
    if (this.over) return;
    this.over = true;
    const { entries } = this;
    if (entries && entries.open > 0) entries.whenOver = () => this.leave();
    else this.leave();
  }

  private leave(): void {
    this.endTurn?.();
    this.counted.end();
  }
}

/** A lease to be entered, and how. */
export interface EntryPlan {
  readonly lease: NamedLease;
  readonly mode: LockMode;
}

/** Counts as begun from now on: the leases are kept until each has ended. @throws LockLostError */
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
 * it is given back only when they have ended. `whole` makes what the work is given.
 *
 * @throws LockBusyError when a sibling works for longer than `wait`
 * @throws LockLostError when the lease was lost, then or while the work ran, or given back (reason `released`)
 * @throws LockUsageError for an entry that writes under a lease that reads
 */
export async function enter<L extends Lease, T>(
  context: LockContext,
  plans: readonly EntryPlan[],
  whole: (entered: readonly EnteredLease[]) => L,
  work: (lease: L) => T | PromiseLike<T>,
  { wait, signal }: EntryOptions,
  origin?: CallOrigin,
  entered = beginEntries(plans),
): Promise<T> {
  const { held, settings, clock } = context;
  try {
    OPTIONS.signal.check(signal, plans[0]?.lease.name ?? '');
    const patience = settings.waitOf({ wait });
    const until = clock.now() + patience;
    for (const each of entered)
      await each.begin({ wait: patience && Math.max(1, until - clock.now()), signal }, origin?.place);
    plans.forEach(({ lease, mode }) => {
      if (mode === 'write' && lease.now.mode === 'read') throw upgrade(lease.name);
    });
    for (const each of entered) each.assertHeld();
    const lease = whole(entered);
    const inner = held.open(entered, lease, origin, held.place);
    // The outcome of the work is never masked: a loss carries it.
    let outcome: Outcome<T>;
    try {
      const result = await held.begin(inner, lease, work);
      origin?.checkResult?.(result);
      outcome = { result };
    } catch (cause) {
      outcome = { cause };
    }
    held.close(inner, lease);
    return concluded(lossOf(entered), outcome);
  } finally {
    for (const each of entered) each.end();
  }
}

/** How work ended. */
export type Outcome<T> = { result: T } | { cause: unknown };

/** What the caller of the work is told. @throws LockLostError with the outcome, when the lease was lost meanwhile */
export function concluded<T>(loss: LockLostError | undefined, outcome: Outcome<T>): T {
  if (loss)
    throw 'cause' in outcome && sameLoss(outcome.cause, loss) ? outcome.cause : loss.withOutcome(outcome);
  if ('cause' in outcome) throw outcome.cause;
  return outcome.result;
}

/** The loss of one of the leases under which work ran. */
export function lossOf(leases: readonly NamedLease[]): LockLostError | undefined {
  try {
    for (const { now } of leases) now.assertHeld();
    return undefined;
  } catch (error) {
    // Released by the work itself, in time: that is no loss.
    return error instanceof LockLostError && error.reason !== 'released' ? error : undefined;
  }
}

/** The work itself reported the loss: it is not its own cause. */
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
  if (typeof work !== 'function')
    throw new LockUsageError(`The work under a lock is a function; it was ${shown(work)}.`, name);
  checkOptions(options, name, known);
}

/** Two readers that both ask to write would wait for each other. */
export function upgrade(name: string): LockUsageError {
  return new LockUsageError(
    `The running call reads under '${name}' and asks to write: two readers that do so would wait for ` +
      'each other for ever. Take the write lock from the start, and downgrade it when reading is enough.',
    name,
  );
}

/** Permits are counted, not entered. */
export function noEntry(name: string): LockUsageError {
  return new LockUsageError(
    `'${name}' is a semaphore, whose permits nobody enters again: each call takes its own. ` +
      'Take as many units as you need at once.',
    name,
  );
}

/** One lease on several names: held while all of its parts are. */
export class LeaseBundle implements Lease {
  private combined: AbortSignal | undefined;

  constructor(
    readonly parts: readonly NamedLease[],
    readonly context: LockContext,
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

  fenceOf(name: string): number {
    const part = this.partOn(name);
    if (part) return part.fence;
    throw new LockUsageError(`This lease is on '${this.names.join("', '")}', not on '${name}'.`, name);
  }

  /** The lease on one of its names. */
  partOn(name: string): NamedLease | undefined {
    return this.parts.find((part) => part.name === name);
  }

  get signal(): AbortSignal {
    return (this.combined ??= AbortSignal.any(this.parts.map(({ signal }) => signal)));
  }

  get held(): boolean {
    return this.parts.every(({ held }) => held);
  }

  get remaining(): number {
    return Math.min(...this.parts.map(({ remaining }) => remaining));
  }

  assertHeld(): void {
    for (const part of this.parts) part.assertHeld();
  }

  async renew(ttl?: number): Promise<void> {
    await Promise.all(this.parts.map((part) => part.renew(ttl)));
  }

  async release(terms?: ReleaseTerms): Promise<'released' | 'expired'> {
    const answers = await Promise.all(this.parts.map((part) => part.release(terms)));
    return answers.includes('expired') ? 'expired' : 'released';
  }

  async using<T>(work: (lease: Lease) => T | PromiseLike<T>, options: EntryOptions = {}): Promise<T> {
    checkEntry(work, options, this.names[0] ?? '');
    const { context } = this;
    const plans = this.parts.map((lease) => ({ lease, mode: lease.now.mode }));
    return enter(context, plans, (entered) => new LeaseBundle(entered, context), work, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    void this.release();
    return Promise.resolve();
  }
}

/**
 * What work gets that runs without the lock (`onStoreError: 'run'`): nothing is held, and it says so to who asks.
 */
export class UnprotectedLease implements Lease {
  readonly held = false;
  readonly remaining = 0;
  /** Never aborts: nothing is held that could be lost, and the work is to run although it passes the signal on. */
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

  /** Nothing of it can be entered: what is not covered by it is taken. */
  partOn(_name: string): undefined {
    return undefined;
  }

  assertHeld(): void {
    throw this.reason;
  }

  renew(): Promise<void> {
    return Promise.reject(this.reason);
  }

  release(): Promise<'expired'> {
    return Promise.resolve('expired');
  }

  /** Runs it without the lock, as the work around it. */
  async using<T>(work: (lease: Lease) => T | PromiseLike<T>): Promise<T> {
    return work(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
