import { randomUUID } from 'node:crypto';
import { milliseconds, shown } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';
import { otherRound } from '../line/latch-wait.js';
import type { LatchAnswer, LatchOperation } from '../store/latch-machine.js';
import { WHOLE } from '../store/lock-state.js';
import { micros } from '../store/server-clock.js';
import type { CountDownLatch, LatchOptions } from './countdown-latch.js';
import type { LockContext } from './lock-context.js';
import { abortSignal, checkOptions, TTL } from './lock-settings.js';
import type { UsingOptions } from './lock.js';
import { wholeNumber } from './whole-number.js';

const PATIENCE = 1_000;
const LONGEST_ID = 128;
const LONGEST_ROUND = 128;
const LATCH_OPTIONS: ReadonlySet<string> = new Set(['round']);
const SET_OPTIONS: ReadonlySet<string> = new Set(['ttl']);
const OPENED_OPTIONS: ReadonlySet<string> = new Set(['wait', 'signal']);

/** A countdown latch at the store. */
export class StoreLatch implements CountDownLatch {
  /** '' for the current one. */
  private readonly round: string;

  /** @throws LockUsageError for a bad name or round */
  constructor(
    private readonly name: string,
    private readonly context: LockContext,
    options: LatchOptions = {},
  ) {
    checkName(name);
    checkOptions(options, name, LATCH_OPTIONS);
    this.round = options.round === undefined ? '' : roundOf(options.round, name);
  }

  async trySetCount(n: number, options: { ttl?: unknown } = {}): Promise<boolean> {
    checkOptions(options, this.name, SET_OPTIONS);
    wholeNumber(n, 'n', WHOLE, this.name);
    const ttl = micros(milliseconds(options.ttl ?? '24h', TTL));
    return (await this.ask({ kind: 'set', round: this.round, count: n, ttl })).outcome === 'set';
  }

  async countDown(id: string = randomUUID()): Promise<number> {
    if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > LONGEST_ID)
      throw new LockUsageError(`The id of countDown is a text of 1 to ${LONGEST_ID} bytes.`, this.name);
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
    const { line, settings } = this.context;
    const wait = settings.waitOf(options as UsingOptions);
    const signal = abortSignal(options.signal, this.name);
    return line.opened(this.name, this.round, wait, signal);
  }

  private ask(operation: LatchOperation): Promise<LatchAnswer> {
    return this.context.line.setup.store.latch(this.name, operation, PATIENCE);
  }
}

function roundOf(round: unknown, name: string): string {
  if (typeof round === 'string' && round !== '' && Buffer.byteLength(round) <= LONGEST_ROUND) {
    if (!/\p{Surrogate}/u.test(round)) return round;
    throw new LockUsageError(
      'The option round takes a well-formed text; it had half of a surrogate pair, which no two stores keep alike.',
      name,
    );
  }
  throw new LockUsageError(
    `The option round takes a text of 1 to ${LONGEST_ROUND} bytes; it was ${shown(round)}.`,
    name,
  );
}
