import type { OnApplicationShutdown } from '@nestjs/common';
import type { LockBusyError, LockError } from '../base/errors.js';
import { identityOf } from '../line/request.js';
import { originalOf } from './event-error.js';
import { fail, inform, type LockLog, type LogFields } from '../locks/lock-log.js';
import {
  checkHttpMapping,
  type HttpMappingOptions,
  type LockErrorBody,
  lockErrorBody,
} from './http-exception.js';
import { NestLog } from './nest-log.js';

const SPAN = 1_000;
/** How many names one line lists; the others are only counted. */
const MOST_NAMES = 10;

/** Logs refused calls: the first one at once, and then all calls of each second in one line. */
export class BusyLog {
  private readonly names = new Map<string, number>();
  private count = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly log: (line: string, event: 'refused' | 'refusals', fields: LogFields) => void,
  ) {}

  refused({ message, lockName = '', reason, holder }: LockBusyError): void {
    if (this.timer === undefined) {
      const by = holder && { holder: identityOf(holder) };
      this.log(message, 'refused', { lock: lockName, reason, ...by });
      if (!this.closed) this.wait();
      return;
    }
    this.count += 1;
    const before = this.names.get(lockName);
    if (before !== undefined || this.names.size < MOST_NAMES) this.names.set(lockName, (before ?? 0) + 1);
  }

  /** Logs the summary that is due, and starts no more timers: later refusals are logged at once. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.summarise();
  }

  private wait(): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.summarise()) this.wait(); // the burst may go on
    }, SPAN);
    this.timer.unref();
  }

  private summarise(): boolean {
    const { count } = this;
    if (count === 0) return false;
    const named = [...this.names].map(([name, times]) => `'${name}' (${times})`);
    const others = count - [...this.names.values()].reduce((sum, times) => sum + times, 0);
    if (others > 0) named.push(`other locks (${others})`);
    this.log(
      `Within the last second ${count} more ${count === 1 ? 'call' : 'calls'} did not get the lock: ` +
        `${named.join(', ')}.`,
      'refusals',
      { count },
    );
    this.count = 0;
    this.names.clear();
    return true;
  }
}

/** What the clients and the log of one registration are told about its lock errors, on every transport. */
export class LockErrorAnswers implements OnApplicationShutdown {
  private readonly busy: BusyLog;

  constructor(
    private readonly mapping: HttpMappingOptions = {},
    private readonly log: LockLog = new NestLog(),
  ) {
    checkHttpMapping(mapping);
    this.busy = new BusyLog((line, event, fields) => inform(log, event, line, fields));
  }

  /**
   * Logs the error with its details, busy locks as `log`, with a burst of them in one line a second, and other errors as
   * `error`. Returns what a client may know.
   */
  to(given: LockError): LockErrorBody {
    const error = originalOf(given);
    if (error.code === 'LOCK_BUSY') this.busy.refused(error as LockBusyError);
    else fail(this.log, 'failed', error);
    return lockErrorBody(error, this.mapping);
  }

  /** Logs the summary that is due, and leaves no timer. */
  onApplicationShutdown(): void {
    this.busy.close();
  }
}
