import { randomUUID } from 'node:crypto';
import { type Duration, shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { checkName, LONE_SURROGATE } from '../base/name.js';
import { otherRound } from '../line/latch-wait.js';
import { micros } from '../store/server-clock.js';
import type { LatchAnswer, LatchOperation } from '../store/latch-machine.js';
import { WHOLE } from '../store/lock-machine.js';
import type { LockSetup } from './lease-handle.js';
import { abortSignal, checkOptions, wholeNumber } from './checks.js';
import { OPTIONS } from './option-table.js';
import type { UsingOptions } from './lock.js';

/**
 * Which latch of a name is meant.
 *
 * @publicApi
 */
export interface LatchOptions {
  /**
   * The round that all calls on this latch mean, for a latch that is used again and again: for example the date of a nightly
   * job. 1 … 128 bytes. @default none: whichever round is current
   */
  readonly round?: string | undefined;
}

/**
 * A gate that opens for all processes at once when it has been counted down to zero.
 *
 * With a `round`, one latch serves run after run: setting another round begins it in place of the current one, even if that
 * one was never finished. A round that was replaced never comes back while the latch remembers it (the last eight, for as
 * long as the ttl of the current one lasts): it can no longer be set or counted. If it was open, it stays open.
 *
 * @publicApi
 */
export interface CountDownLatch {
  /**
   * Sets the count of a latch that is not set, or begins its `round`; resolves with whether it did. It is false when that
   * round is set already, open or not, or was replaced by another one. After `ttl` the store forgets the latch, open or
   * not, and the same round can be set again. n: 1 … 2³⁰; ttl: 100 ms … 24 h, default 24 h.
   *
   * @throws LockUsageError | LockStoreError
   */
  trySetCount(n: number, options?: { readonly ttl?: Duration | undefined }): Promise<boolean>;
  /**
   * Counts down by one and resolves with what is left. A repeat with the same `id` counts once; each call without
   * one counts.
   *
   * @throws LockUsageError when nobody has set the latch, when its ttl is over, or when its `round` is not the current one;
   * nothing is counted then, and the error names the current round
   * @throws LockStoreError when the outcome is unknown: call again with the same id
   */
  countDown(id?: string): Promise<number>;
  /**
   * What is left to count; 0 when open; undefined when nobody has set the latch or its `round`, when its ttl is over, or
   * when the round was replaced before it had opened.
   */
  count(): Promise<number | undefined>;
  /**
   * Resolves when the latch is open. A latch that nobody has set yet, or whose ttl is over, is not open. You may wait for a
   * `round` that nobody has set yet, no matter which round is current.
   *
   * @throws LockBusyError with reason `timeout`, `aborted` or `closed`
   * @throws LockUsageError when another round replaces the one that is waited for before it has opened
   */
  opened(options?: {
    /** 0 … 24 h or Infinity. @default the registration's `wait` */
    readonly wait?: Duration | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void>;
}

const COMMAND_TIMEOUT = 1_000;
const LONGEST_ID = 128;
const LONGEST_ROUND = 128;
const LATCH_OPTIONS: ReadonlySet<string> = new Set(['round']);
const SET_OPTIONS: ReadonlySet<string> = new Set(['ttl']);
const OPENED_OPTIONS: ReadonlySet<string> = new Set(['wait', 'signal']);

/** One round of a countdown latch at the store. */
export class StoreLatch implements CountDownLatch {
  /** '' for the current one. */
  private readonly round: string;

  /** @throws LockUsageError for a bad name or round */
  constructor(
    private readonly name: string,
    private readonly setup: LockSetup,
    options: LatchOptions = {},
  ) {
    checkName(name);
    checkOptions(options, name, LATCH_OPTIONS);
    this.round = options.round === undefined ? '' : roundOf(options.round, name);
  }

  async trySetCount(n: number, options: { ttl?: unknown } = {}): Promise<boolean> {
    checkOptions(options, this.name, SET_OPTIONS);
    wholeNumber(n, 'n', WHOLE, this.name);
    const { ttl = '24h' } = options; // null is a mistake and is refused
    const lasts = micros(OPTIONS.ttl.check(ttl, this.name));
    return (await this.ask({ kind: 'set', round: this.round, count: n, ttl: lasts })).outcome === 'set';
  }

  async countDown(id: string = randomUUID()): Promise<number> {
    if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > LONGEST_ID)
      throw new LockUsageError(`The id of countDown must be a text of 1 to ${LONGEST_ID} bytes.`, this.name);
    if (LONE_SURROGATE.test(id))
      throw new LockUsageError(
        'The id of countDown has half of a surrogate pair (a character that was cut in two), which cannot be stored: ' +
          'different ids would count as one.',
        this.name,
      );
    const answer = await this.ask({ kind: 'down', round: this.round, id });
    if (answer.outcome === 'open' || answer.outcome === 'counting') return answer.count;
    if (answer.outcome === 'over' || answer.round !== '') throw otherRound(this.name, this.round, answer);
    throw new LockUsageError(
      `The latch '${this.name}' is not set, or its ttl is over: call trySetCount first.`,
      this.name,
    );
  }

  async count(): Promise<number | undefined> {
    const { outcome, count } = await this.ask({ kind: 'read', round: this.round });
    return outcome === 'open' || outcome === 'counting' ? count : undefined;
  }

  async opened(options: { wait?: unknown; signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkOptions(options, this.name, OPENED_OPTIONS);
    const { lines, settings } = this.setup;
    const wait = settings.waitOf(options as UsingOptions);
    const signal = abortSignal(options.signal, this.name);
    return lines.opened(this.name, this.round, wait, signal);
  }

  private ask(operation: LatchOperation): Promise<LatchAnswer> {
    return this.setup.lines.setup.store.latch(this.name, operation, COMMAND_TIMEOUT);
  }
}

function roundOf(round: unknown, name: string): string {
  if (typeof round === 'string' && round !== '' && Buffer.byteLength(round) <= LONGEST_ROUND) {
    if (!LONE_SURROGATE.test(round)) return round;
    throw new LockUsageError(
      'The option round takes a well-formed text; it had half of a surrogate pair, which cannot be stored as it is.',
      name,
    );
  }
  throw new LockUsageError(
    `The option round takes a text of 1 to ${LONGEST_ROUND} bytes; it was ${shown(round)}.`,
    name,
  );
}
