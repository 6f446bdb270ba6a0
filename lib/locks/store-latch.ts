import { randomUUID } from 'node:crypto';
import { milliseconds } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';
import { LatchWatch } from '../line/latch-watch.js';
import { micros } from '../line/terms.js';
import type { LatchAnswer, LatchOperation } from '../store/latch-machine.js';
import { WHOLE } from '../store/lock-state.js';
import type { LockContext } from './base-lock.js';
import type { CountDownLatch } from './countdown-latch.js';
import { refuseUnknown, TTL } from './lock-settings.js';
import type { UsingOptions } from './lock.js';
import { wholeNumber } from './whole-number.js';

const PATIENCE = 1_000;
const LONGEST_ID = 128;
const SET_OPTIONS: ReadonlySet<string> = new Set(['ttl']);
const OPENED_OPTIONS: ReadonlySet<string> = new Set(['wait', 'signal']);

/** A countdown latch at the store. */
export class StoreLatch implements CountDownLatch {
  /** @throws LockUsageError for a bad name */
  constructor(
    private readonly name: string,
    private readonly context: LockContext,
  ) {
    checkName(name);
  }

  async trySetCount(n: number, options: { ttl?: unknown } = {}): Promise<boolean> {
    wholeNumber(n, 'n', WHOLE, this.name);
    refuseUnknown(options, SET_OPTIONS, this.name);
    const ttl = micros(milliseconds(options.ttl ?? '24h', TTL));
    return (await this.ask({ kind: 'set', count: n, ttl })).outcome === 'set';
  }

  async countDown(id: string = randomUUID()): Promise<number> {
    if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > LONGEST_ID)
      throw new LockUsageError(`The id of countDown is a text of 1 to ${LONGEST_ID} bytes.`, this.name);
    const { outcome, count } = await this.ask({ kind: 'down', id });
    if (outcome !== 'missing') return count;
    throw new LockUsageError(
      `The latch '${this.name}' is not set, or its ttl is over: call trySetCount first.`,
      this.name,
    );
  }

  async count(): Promise<number | undefined> {
    const { outcome, count } = await this.ask({ kind: 'read' });
    return outcome === 'missing' ? undefined : count;
  }

  async opened(options: { wait?: unknown; signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { line, settings } = this.context;
    refuseUnknown(options, OPENED_OPTIONS, this.name);
    const watch = new LatchWatch(line, this.name, settings.waitOf(options as UsingOptions), options.signal);
    return watch.opened;
  }

  private ask(operation: LatchOperation): Promise<LatchAnswer> {
    return this.context.line.around.store.latch(this.name, operation, PATIENCE);
  }
}
