import { orRejected } from '../locks/checks.js';
import type { Lease } from '../locks/lock.js';
import type { LockService } from '../locks/lock-service.js';
import { type StreamWait, whenAborted } from './held-stream.js';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { lockDefaultsOf } from './lock-defaults.js';
import {
  type LockKey,
  type LockLabel,
  type LockNames,
  type LockSignal,
  type OnBusy,
  parsedKey,
} from './lock-key.js';
import { openSlot, readSlot } from './lock-slot.js';
import { leaseParameterOf } from './locked-lease.js';
import { type CallDetails, lockedCall } from './locked-call.js';
import {
  isEventStream,
  isHttpRoute,
  kinshipOf,
  type Kinship,
  type Method,
  methodOf,
  placeOf,
  refuseStranger,
  takePlaceOf,
} from './locked-method.js';
import type { LockedMark } from './locked-mark.js';
import { type LockedOptions, checkLockedOptions } from './locked-options.js';

/** A method that a decorator locks, with everything that is known when its class is defined. */
export class DecoratedMethod {
  /** Where the decorator stands, for people: `@Locked on StockService.reserve`. */
  readonly where: string;
  readonly method: Method;
  private readonly mark: LockedMark;
  private readonly names: (self: unknown, args: unknown[]) => LockNames;
  private readonly slot: symbol;
  private readonly kinship: Kinship;
  private readonly run: ReturnType<typeof lockedCall>;
  private readonly signalOf: LockSignal | undefined;
  private readonly labelOf: Exclude<LockLabel, string> | undefined;
  /** Which parameter gets the lease. */
  private readonly leaseAt: number | undefined;
  private replacement: Method | undefined;
  // Only known at the first call, since decorators above write their metadata later.
  private isRoute: boolean | undefined;

  /** @throws LockUsageError for a place, a key or options that cannot work */
  constructor(
    decorator: '@Locked' | '@LockedStream',
    private readonly target: object,
    private readonly property: string | symbol,
    private readonly descriptor: object,
    {
      key,
      options,
    }: {
      key: LockKey;
      options: LockedOptions<LockSignal | undefined, OnBusy | undefined, LockLabel | undefined> | undefined;
    },
    checkResult: (method: Method, where: string) => ((value: unknown) => void) | undefined,
  ) {
    const where = (this.where = `${decorator} on ${placeOf(target, property)}`);
    this.method = methodOf(target, property, descriptor, where);
    const settings = checkLockedOptions(options ?? {}, where);
    const { namesOf, texts, label } = parsedKey<unknown[]>(key, where);
    this.mark = { decorator, target, where, texts, label, options: settings };
    this.names = namesOf;
    this.slot = openSlot(target, settings.locks);
    this.kinship = kinshipOf(target, property);
    this.leaseAt = leaseParameterOf(target, property);
    this.signalOf = settings.signal;
    this.labelOf = typeof settings.label === 'function' ? settings.label : undefined;
    const origin = { place: where, target, property, checkResult: checkResult(this.method, where) };
    this.run = lockedCall(settings as LockedOptions, {
      origin,
      label,
      defaults: () => lockDefaultsOf(target),
    });
  }

  /** Puts the replacement where the method stands. */
  replaceBy(replacement: Method): void {
    this.replacement = replacement;
    takePlaceOf(this.method, replacement, this.mark);
    // The caller does not pass the lease: queues such as Bull call a handler of two parameters with a callback.
    if (this.leaseAt === this.method.length - 1)
      Object.defineProperty(replacement, 'length', { value: this.leaseAt, configurable: true });
    (this.descriptor as PropertyDescriptor).value = replacement;
  }

  /** The LockService of an instance. @throws LockUsageError when it has none */
  locksOf(self: unknown): LockService {
    return readSlot(self, this.slot) ?? refuseStranger(self, this.where, this.mark.options.locks);
  }

  /** Calls the method under a lease. */
  apply(self: unknown, args: unknown[], lease: Lease): unknown {
    if (this.leaseAt === undefined) return Reflect.apply(this.method, self, args);
    const all = [...args];
    all[this.leaseAt] = lease;
    return Reflect.apply(this.method, self, all);
  }

  /** Whether HTTP requests call it. */
  get isHttpRoute(): boolean {
    return (this.isRoute ??= isHttpRoute(this.outermost));
  }

  /** Whether it answers requests with server-sent events. */
  get isEventStream(): boolean {
    return isEventStream(this.outermost);
  }

  /**
   * The method as its class has it, with what all decorators have written. One above may have wrapped the replacement, and
   * those above that write on the wrapper only. A subclass that overrides the method has one of its own, so the instance is
   * not asked. What has no metadata at all is no method of an application, but the spy of a test.
   */
  private get outermost(): Method {
    const { target, property, replacement = this.method } = this;
    const found: unknown = Reflect.getOwnPropertyDescriptor(target, property)?.value;
    return typeof found === 'function' && Reflect.getOwnMetadataKeys(found).length > 0
      ? (found as Method)
      : replacement;
  }

  /** Runs the work of one call under the lock. Errors before the lock reject the call, like all later ones. */
  call(
    self: unknown,
    args: unknown[],
    work: (lease: Lease) => PromiseLike<unknown>,
    wait?: StreamWait,
  ): Promise<unknown> {
    return orRejected(() => {
      const details = this.detailsOf(self, args, wait);
      return this.run(this.locksOf(self), this.names(self, args), work, details);
    });
  }

  private detailsOf(self: unknown, args: unknown[], wait: StreamWait | undefined): CallDetails | undefined {
    const { signalOf, labelOf, kinship, isHttpRoute, where } = this;
    const { fires } = this.mark.options;
    // Most methods need no details.
    if (!isHttpRoute && !signalOf && !labelOf && !kinship.inherited && !wait && !fires) return undefined;
    const given = signalOf && (Reflect.apply(signalOf, self, args) as AbortSignal | undefined);
    if (wait && given) wait.watches.add(whenAborted(given, wait.leaving, where));
    return {
      signal: wait?.leaving.signal ?? given,
      label: labelOf && textOf(Reflect.apply(labelOf, self, args), where),
      self: kinship.inherited ? (self as object) : undefined,
      leavesAtShutdown: isHttpRoute,
      method: fires && this.outermost,
    };
  }
}

/** What a function that is given as option `label` returned; its length is checked with all options of the call. */
export function textOf(label: unknown, where: string): string {
  if (typeof label === 'string') return label;
  throw new LockUsageError(
    `The function given as option label of ${where} must return a text of 1 to 128 bytes; it returned ${shown(label)}.`,
  );
}
