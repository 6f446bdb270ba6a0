import { Injectable, Logger, Optional } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { type Duration, InjectLocks, LockService, type LockStoreError, LockUsageError } from '../index.js';

/**
 * How {@link LockHealthIndicator} checks.
 *
 * @publicApi
 */
export interface LockHealthOptions {
  /** How long the store has to answer; after that it is down. 10 ms … 1 min. @default 1 s */
  readonly timeout?: Duration | undefined;
  /** An answer that takes longer than this is degraded. 10 ms … 1 min. @default 250 ms */
  readonly slow?: Duration | undefined;
  /**
   * What the result has. `safe`: what the server is, and how many warnings there are; no address, no name and no text of
   * a server. `all`: also the address, the warnings, and the message of the failure, for endpoints that the public cannot
   * reach. Neither shows credentials.
   * @default 'safe'
   */
  readonly details?: 'safe' | 'all' | undefined;
  /** The locks that are checked. @default those of the default registration */
  readonly locks?: LockService | undefined;
}

const OPTIONS: ReadonlySet<string> = new Set(['timeout', 'slow', 'details', 'locks']);

/** A result of Terminus under its key. Terminus 11 has no `degraded`. */
interface Session<Key extends string> {
  up(data: object): HealthIndicatorResult<Key>;
  degraded?(data: object): HealthIndicatorResult<Key>;
  down(data: object): HealthIndicatorResult<Key>;
}

/**
 * A health indicator for Terminus 11 and 12: whether locks can be taken. It runs the probe of `locks.ready()`, which tries
 * what locks need on a temporary key, and reports what it found. Register it as a provider where `TerminusModule` is
 * imported, and call `check` in the health check.
 *
 * @publicApi
 */
@Injectable()
export class LockHealthIndicator {
  private readonly logger = new Logger(LockHealthIndicator.name);
  private readonly down = new WeakSet<LockService>();

  constructor(
    private readonly terminus: HealthIndicatorService,
    @Optional() @InjectLocks() private readonly locks?: LockService,
  ) {}

  /**
   * `up`; `degraded` when the store answers slowly, which Terminus 11 shows as `up` with `degraded: true`; or `down`.
   * Resolves within `timeout`, whatever the store does, and logs when the state changes to `down` and back.
   *
   * @throws LockUsageError for an option out of range, and when there are no locks to check
   */
  async check<const Key extends string = 'locks'>(
    key: Key = 'locks' as Key,
    options: LockHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const { timeout, slow, details, locks } = checked(options, this.locks);
    const { status, took, findings, error } = await locks.health({ timeout, slow });
    const session = this.terminus.check(key) as unknown as Session<Key>;
    const all = details === 'all';
    const responseTime = Math.round(took);
    this.tell(locks, error);
    if (!findings) {
      const message = all ? error?.message : wordsFor(error);
      return session.down({ message, responseTime });
    }
    const { server, version, role, maxmemoryPolicy, publish, warnings, address } = findings;
    const data = {
      ...(server !== undefined && { server }),
      ...(version !== undefined && { version }),
      ...(role !== undefined && { role }),
      ...(maxmemoryPolicy !== undefined && { maxmemoryPolicy }),
      publish,
      warnings: all ? warnings : warnings.length,
      ...(all && { address }),
      responseTime,
    };
    if (status === 'up') return session.up(data);
    return session.degraded ? session.degraded(data) : session.up({ ...data, degraded: true });
  }

  private tell(locks: LockService, error: Error | undefined): void {
    if (error && !this.down.has(locks)) {
      this.down.add(locks);
      this.logger.warn(`Locks are down: ${error.message}`);
    } else if (!error && this.down.delete(locks)) this.logger.log('Locks are up again.');
  }
}

/** What a response may say of a failure. */
function wordsFor(error: Error | undefined): string {
  return (error as Partial<LockStoreError> | undefined)?.refused === true
    ? 'The store of the locks refused the probe.'
    : 'The store of the locks did not answer in time, or cannot be reached.';
}

/** @throws LockUsageError */
function checked(
  options: unknown,
  own: LockService | undefined,
): LockHealthOptions & { readonly locks: LockService } {
  if (typeof options !== 'object' || options === null)
    throw new LockUsageError(
      `The options of a health check must be an object; they were ${String(options)}.`,
    );
  const unknown = Object.keys(options).find((option) => !OPTIONS.has(option));
  if (unknown !== undefined)
    throw new LockUsageError(
      `A health check of locks has no option ${unknown}; it has ${[...OPTIONS].join(', ')}.`,
    );
  const { details = 'safe', locks = own, ...times } = options as LockHealthOptions;
  if (details !== 'safe' && details !== 'all')
    throw new LockUsageError(`The option details takes 'safe' or 'all'; it was ${String(details)}.`);
  if (!locks)
    throw new LockUsageError(
      'There are no locks to check: no default registration of DistributedLockModule is visible here. ' +
        'Pass the locks of a named one: check(key, { locks }).',
    );
  return { ...times, details, locks };
}
