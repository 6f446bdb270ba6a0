import { inspect } from 'node:util';
import { ConsoleLogger, Logger, type LoggerService } from '@nestjs/common';
import { shown } from '../base/duration.js';
import { type LockError, LockUsageError } from '../base/errors.js';
import { type LockLog, type LockLogEntry, spoken } from '../locks/lock-log.js';
import type { LockService } from '../locks/lock-service.js';

const CONTEXT = 'DistributedLock';

/**
 * An entry as the one message that a logger of Nest is given. Structured loggers (nestjs-pino, nest-winston, the JSON of
 * Nest 11) find its fields, and everybody else finds its text.
 */
class LogMessage {
  declare readonly msg: string;

  constructor(entry: LockLogEntry) {
    const { level: _, message, ...fields } = structured(entry);
    Object.assign(this, { msg: message, ...fields }); // `msg` is where pino has the text
  }

  /** Where winston has the text. */
  get message(): string {
    return this.msg;
  }

  toString(): string {
    return this.msg;
  }

  [inspect.custom](): string {
    return this.msg;
  }
}

/** The log of a registration: a logger of Nest, by default whichever the application uses. */
export class NestLog implements LockLog {
  constructor(private readonly logger: LoggerService = new Logger(CONTEXT)) {}

  warn(message: string): void {
    this.logger.warn(message);
  }

  log(message: string): void {
    this.logger.log(message);
  }

  error(message: string): void {
    this.logger.error(message);
  }

  write(entry: LockLogEntry): void {
    const { level, message, ...fields } = structured(entry);
    const printer = consoleBehind(this.logger);
    const text = entry.error ? printed(entry.error) : spoken(message, fields);
    // A logger of Nest need not have debug.
    if (printer && !printer.options?.json)
      this.logger[level]?.(text); // people read it, and the text says it all
    else if (printer?.stringifyParams) this.logger[level]?.(message, fields);
    else this.writeFields(entry, text);
  }

  /** Writes an entry as an object, or as its text to a logger that takes only texts. */
  private writeFields(entry: LockLogEntry, text: string): void {
    try {
      this.logger[entry.level]?.(new LogMessage(entry));
    } catch {
      this.logger[entry.level]?.(text);
    }
  }
}

/** An entry as structured loggers can print it: they print nothing of an error inside an object but its own fields. */
function structured({ error, ...entry }: LockLogEntry): Omit<LockLogEntry, 'error'> & { stack?: string } {
  return error === undefined ? entry : { ...entry, stack: stackOf(error) };
}

/** An error for people. A logger that is given the error itself prints all its fields, and so what the work returned. */
function printed(error: LockError): string {
  const { help } = error as Partial<LockError>; // that of an older copy of this package has none
  return help === undefined ? stackOf(error) : `${stackOf(error)}\n  help: '${help}'`;
}

/** The stack of an error and of its causes, without their other fields. */
function stackOf(error: Error, told: readonly unknown[] = []): string {
  const { cause, stack = String(error) } = error;
  if (!(cause instanceof Error) || told.includes(cause)) return stack;
  return `${stack}\nCaused by: ${stackOf(cause, [...told, error])}`;
}

/** What of Nest's own logger says how it prints. */
interface ConsoleInside {
  readonly options?: { readonly json?: boolean };
  /** There from Nest 12 on: fields beside a text are printed as fields. Nest 11 prints them as a line of their own. */
  readonly stringifyParams?: unknown;
}

/** Nest's own logger, if it is the one that prints. */
function consoleBehind(logger: LoggerService): ConsoleInside | undefined {
  const behind: unknown =
    logger instanceof Logger ? (logger as unknown as { localInstance?: unknown }).localInstance : logger;
  return behind instanceof ConsoleLogger ? (behind as unknown as ConsoleInside) : undefined;
}

/** The log for the option logger: what takes entries, or only texts, is used as it is. @throws LockUsageError */
export function logFor(logger: LockLog | undefined): LockLog {
  if (logger === undefined) return new NestLog();
  const { write, warn, log, error } = (logger ?? {}) as Partial<LoggerService & Pick<LockLog, 'write'>>;
  if (typeof write !== 'function' && typeof warn !== 'function')
    throw new LockUsageError(
      `The option logger takes a logger of Nest, or an object with warn or write; it was ${shown(logger)}.`,
    );
  const ofNest = typeof write !== 'function' && typeof log === 'function' && typeof error === 'function';
  return ofNest ? new NestLog(logger as LoggerService) : logger;
}

/** The log of the registration that some locks belong to; that of the application for what stands in for locks in a test. */
export function logOf(locks: Partial<LockService> | undefined): LockLog {
  const log = locks?.log as Partial<LockLog> | undefined;
  return typeof log?.write === 'function' || typeof log?.warn === 'function'
    ? (log as LockLog)
    : new NestLog();
}
