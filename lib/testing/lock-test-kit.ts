import { type Clock, SystemClock } from '../base/clock.js';
import { type Duration, milliseconds, shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';
import { getLocksToken, type Lease, LockService, type LockServiceOptions } from '../index.js';
import { checkOptions } from '../locks/checks.js';
import type { LockLog } from '../locks/lock-log.js';
import { LockSettings } from '../locks/lock-settings.js';
import { namesFor } from '../locks/option-table.js';
import { logFor } from '../nest/nest-log.js';
import { MemoryServer } from '../store/memory/memory-server.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { newSession } from '../store/session-id.js';
import { FailingStore, type StoreFailure } from './failing-store.js';
import { ManualClock } from './manual-clock.js';
import { MortalStore } from './mortal-store.js';

/**
 * What a `LockTestKit` is made of: the options of a registration, except where the locks live. `wait` is 10 s unless given,
 * whatever the ttl.
 *
 * @publicApi
 */
export interface LockTestKitOptions extends Omit<LockServiceOptions, 'redis' | 'startup' | 'durability'> {
  /**
   * Where the locks take their time from: `system` is the machine's clock, `manual` one that stands still until
   * `advance` moves it. With `manual` a lease never ends while a test works, and no test has to wait for one.
   * `shutdownGrace` is 0 then unless given.
   * @default 'system'
   */
  readonly clock?: 'system' | 'manual' | undefined;
  /**
   * Where the locks of this process report what an operator should know, as for `DistributedLockModule`.
   * @default nowhere
   */
  readonly logger?: LockLog | undefined;
}

/**
 * What `LockTestKit.hold` takes.
 *
 * @publicApi
 */
export interface TestHoldOptions {
  /** How it holds: alone, or as a reader together with others. @default 'write' */
  readonly mode?: 'write' | 'read' | undefined;
  /** Holds permits of a semaphore of so many. @default none: a mutex or a read-write lock */
  readonly permits?: number | undefined;
  /** How many of the permits. @default 1 */
  readonly units?: number | undefined;
  /**
   * The other process dies right away: nobody renews or releases, and the name is free after ttl and guard. 100 ms … 24 h.
   * @default it renews until it is released
   */
  readonly ttl?: Duration | undefined;
  /** What reports and errors say of the holder. @default none */
  readonly label?: string | undefined;
}

/** The options of a registration that say nothing about locks in memory. */
const ELSEWHERE: readonly string[] = ['redis', 'startup', 'durability'];
const KNOWN: ReadonlySet<string> = new Set([
  ...[...namesFor('registration')].filter((option) => !ELSEWHERE.includes(option)),
  ...['clock', 'logger'],
]);
const OTHER_PROCESS = 'another-host:4711';
const QUIET = { warn: () => undefined, log: () => undefined };
const CLOCKS = { system: SystemClock, manual: ManualClock };
const LONGEST_ADVANCE = 366 * 24 * 3_600_000;
// A command that gets no answer fails after a second at most, and is sent again within another half.
const RETRIED = 2_000;

/**
 * The other side of the locks of a test: other processes, the store, and time. The locks themselves are real, and live in
 * memory. Its methods take names as callers give them: with `nameOf` they mean the lock that a call of the same async
 * context means.
 *
 * @publicApi
 */
export class LockTestKit implements AsyncDisposable {
  /** The locks of this process, which the code under test uses: for `withLocks`, and for calls of the test itself. */
  readonly locks: LockService;
  private readonly clock: Clock;
  private readonly server: MemoryServer;
  private readonly store: FailingStore;
  private readonly otherSettings: LockSettings;
  private others: LockService | undefined;
  /** The locks of processes that died. */
  private readonly dead: LockService[] = [];

  /**
   * Makes locks in memory, and their kit. Call `close()` at the end, or declare it with `await using`.
   * `DistributedLockTestingModule` makes one for its application.
   *
   * @throws LockUsageError that names the option, its range and its value, and for an option that does not exist
   */
  constructor(given: LockTestKitOptions = {}) {
    checkOptions(given, '', KNOWN);
    const { clock = 'system', logger, ...options } = given;
    this.clock = new CLOCKS[checkClock(clock)]();
    // Nobody waits for a holder of another process that died, so the wait is a round number for timers to advance by.
    const { wait = '10s', shutdownGrace = clock === 'manual' ? 0 : undefined } = options;
    const settings = new LockSettings({ ...options, wait, shutdownGrace });
    // Nobody reads what another process would record.
    const otherSettings = new LockSettings({
      ...options,
      ...{ shutdownGrace: 0, recorder: undefined, leakDetectionThreshold: undefined },
    });
    this.otherSettings = Object.assign(otherSettings, { process: OTHER_PROCESS });
    this.server = new MemoryServer(this.clock, settings.fenceMemory);
    this.store = new FailingStore(this.server, newSession(), this.clock);
    const log = logger === undefined ? QUIET : logFor(logger);
    this.locks = LockService.over(this.store, settings, this.clock, log);
  }

  /**
   * Makes a name busy: another process holds it until the lease that this returns is released, or until `expire` or
   * `lose`.
   *
   * @throws LockBusyError when somebody holds the name already
   */
  async hold(name: string, options: TestHoldOptions = {}): Promise<Lease> {
    const { mode = 'write', permits, units, ttl, label } = options;
    if (mode !== 'write' && mode !== 'read')
      throw new LockUsageError(`The option mode takes 'write' or 'read'; it was ${shown(mode)}.`, name);
    const dies = ttl !== undefined;
    const store = dies ? new MortalStore(this.server, this.clock) : undefined;
    const locks = store ? this.overOther(store) : (this.others ??= this.overOther());
    if (dies) this.dead.push(locks);
    const how = { wait: 0, label, ttl, renew: !dies };
    try {
      return permits === undefined
        ? await locks.readWrite(name)[mode].acquire(how)
        : await locks.semaphore(name, permits).acquire({ ...how, units });
    } finally {
      await store?.die();
    }
  }

  /**
   * The leases on a name end as if their time were over before anybody renewed them: the process was suspended, or Redis
   * was away for too long. The holders' `LockLostError` has the reason `expired`, and the next caller has the name.
   *
   * @throws LockUsageError when nobody holds the name
   */
  expire(name: string): Promise<void> {
    return this.end(name, 'expired');
  }

  /**
   * The leases on a name end as if the store had lost them: a failover, or somebody deleted the key. The holders'
   * `LockLostError` has the reason `taken`, and the next caller has the name.
   *
   * @throws LockUsageError when nobody holds the name
   */
  lose(name: string): Promise<void> {
    return this.end(name, 'taken');
  }

  /**
   * From now on the store fails for the code under test: it refuses every command at once, or it is silent, so that each
   * command fails at the end of its own time. Leases are not renewed meanwhile and end at their deadlines. Calls of this
   * kit work on.
   */
  fail(how: StoreFailure = 'refusing'): void {
    if (how !== 'refusing' && how !== 'silent')
      throw new LockUsageError(`fail() takes 'refusing' or 'silent'; it was given ${shown(how)}.`);
    this.store.fail(how);
  }

  /** The store works again, and whoever waits asks it at once. Releases that failed follow within half a second. */
  recover(): void {
    this.store.recover();
  }

  /**
   * Lets time pass for the locks: leases are renewed or end, and waits are over, in their order. Resolves when everything
   * that needs no more time has been done; `advance(0)` only lets calls come as far as they get. The timers of your own
   * code are not moved by this.
   *
   * @throws LockUsageError when the clock is not manual
   */
  async advance(by: Duration): Promise<void> {
    const ms = milliseconds(by, { option: 'advance', min: 0, max: LONGEST_ADVANCE });
    if (!(this.clock instanceof ManualClock))
      throw new LockUsageError(
        "advance() needs a manual clock: DistributedLockTestingModule.forRoot({ clock: 'manual' }), or " +
          "new LockTestKit({ clock: 'manual' }).",
      );
    await this.clock.advance(ms);
  }

  /** The names that somebody holds now, whoever it is: those that are locked. */
  held(): readonly string[];
  /** Whether somebody holds this name now. */
  held(name: string): boolean;
  held(name?: string): readonly string[] | boolean {
    if (name !== undefined) return this.holdersOf(this.lockedName(name)).length > 0;
    return [...this.server.names()].filter((each) => this.holdersOf(each).length > 0);
  }

  /** Closes the locks, and everything that this kit holds. A module of Nest closes its kit itself. */
  async close(): Promise<void> {
    // Timers of locks keep no process alive, and a script may have nothing left to do but this.
    const anchor = this.clock.anchor();
    anchor.ref();
    await this.letGo();
    await this.locks.close();
    anchor.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The application ends: the store works again, and what the kit holds is released. @internal */
  async letGo(): Promise<void> {
    this.store.recover();
    // Nobody advances the clock any more, and what failed has to be tried again.
    if (this.store.hasFailed && this.clock instanceof ManualClock) await this.clock.advance(RETRIED);
    await this.others?.close();
    await Promise.all(this.dead.map((locks) => locks.close()));
  }

  /** The locks of another process. */
  private overOther(store = new MemoryStore(this.server, newSession(), this.clock)): LockService {
    return LockService.over(store, this.otherSettings, this.clock, QUIET);
  }

  /** The name that is locked when a caller says `name`. */
  private lockedName(name: string): string {
    return checkName(this.otherSettings.nameNow(name));
  }

  private holdersOf(name: string) {
    const { state, now } = this.server.read(name);
    return state.holders.filter(({ deadline }) => deadline > now);
  }

  private async end(given: string, reason: 'expired' | 'taken'): Promise<void> {
    const name = this.lockedName(given);
    const holders = this.holdersOf(name);
    if (holders.length === 0) {
      const held = this.held();
      const others = held.length > 0 ? `held are '${held.join("', '")}'` : 'no name is held';
      throw new LockUsageError(`Nobody holds '${name}', so no lease can end; ${others}.`, name);
    }
    // Their whole blocks of fences count as used, so that later fences are larger than all of theirs.
    for (const { id, last } of holders)
      this.server.apply(name, { kind: 'release', id, used: last, keep: 0, done: 0 });
    for (const locks of [this.locks, this.others, ...this.dead]) locks?.lose(name, reason);
    await new Promise<void>((turned) => this.clock.breathe(turned));
  }
}

function checkClock(clock: unknown): 'system' | 'manual' {
  if (clock === 'system' || clock === 'manual') return clock;
  throw new LockUsageError(`The option clock takes 'system' or 'manual'; it was ${shown(clock)}.`);
}

/**
 * The injection token of a registration's kit: the class itself for the default registration, and a token of its own for
 * `forRoot({ name })`.
 *
 * @throws LockUsageError for an empty name
 * @publicApi
 */
export function getLockTestKitToken(name?: string): typeof LockTestKit | string {
  return name === undefined ? LockTestKit : `LockTestKit of ${String(getLocksToken(name))}`;
}
