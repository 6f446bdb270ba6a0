import {
  type Attributes,
  context,
  type Context,
  diag,
  type Meter,
  metrics,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type {
  LockAcquireEvent,
  LockAtRiskEvent,
  LockEvent,
  LockGrantedEvent,
  LockLostEvent,
  LockReleasedEvent,
  LockRenewedEvent,
  LockStoreErrorEvent,
} from '../plain.js';
import { LockMetrics } from './lock-metrics.js';

const SCOPE = 'nestjs-distributed-lock';
// The word of OpenTelemetry for a value that is not told.
const OTHER = '_OTHER';
// Each value of an attribute is a time series of every metric.
const MOST_VALUES = 100;
// Refusals that a caller expects: who asks once, and who gives up.
const EXPECTED: ReadonlySet<unknown> = new Set(['held', 'aborted']);

/**
 * How locks are instrumented.
 *
 * @publicApi
 */
export interface LockInstrumentationOptions {
  /** Makes the spans. @default the tracer `nestjs-distributed-lock` of the global provider */
  readonly tracer?: Tracer | undefined;
  /** Makes the metrics. @default the meter `nestjs-distributed-lock` of the global provider */
  readonly meter?: Meter | undefined;
  /** Whether spans have the whole name of the lock as `lock.name`; metrics never have it. @default false */
  readonly namesOnSpans?: boolean | undefined;
  /**
   * What stands for a lock in `lock.name`: a text that has few values, since each of them is a time series. The first 100
   * values are kept, and all further ones are `_OTHER`. So is a lock for which it throws.
   * @default the label of the call; else what the name has before its first colon (behind `tenant:<id>:`, if it begins with
   * that), if that is a word of the letters A-Z and a-z, `-` and `_`; else `_OTHER`
   */
  readonly nameOf?: ((lock: LockEvent) => string) | undefined;
}

/** A call that waits for a lock. */
interface Waiting {
  readonly began: number;
  /** The context of the caller. */
  readonly around: Context;
  readonly span: Span;
  readonly of: Attributes;
}

/** A lease that is held. */
interface Held {
  readonly span: Span;
  readonly of: Attributes;
}

/**
 * Makes spans and metrics of what locks tell through `node:diagnostics_channel`: of every LockService of this process, in
 * every copy of this package. Call it once, after the OpenTelemetry SDK has started: a meter of the global provider that is
 * taken before measures nothing. Returns a function that stops it, ends open spans, and takes back what it counted as
 * waiting and held.
 *
 * Spans: `lock.wait` from the call to its grant or failure, and `lock.hold` from the grant to the release or loss, both
 * children of the span that is active where the lock is asked for. Metrics: `lock.acquire.duration`, `lock.hold.duration`,
 * `lock.renewal.lag` (histograms, seconds), `lock.waiting`, `lock.held` (up-down counters), `lock.lost`, `lock.at_risk`
 * and `lock.store.errors` (counters).
 *
 * @throws TypeError that names the option, its range and its value
 * @publicApi
 */
export function instrumentLocks(options: LockInstrumentationOptions = {}): () => void {
  return new LockInstrumentation(options).start();
}

class LockInstrumentation {
  private readonly tracer: Tracer;
  private readonly metrics: LockMetrics;
  private readonly group: (lock: LockEvent) => unknown;
  private readonly values = new Set<string>();
  private readonly said = new Set<string>();
  private readonly waits = new Map<LockAcquireEvent, Waiting>();
  private readonly holds = new Map<string, Held>();

  constructor(private readonly options: LockInstrumentationOptions) {
    checkOptions(options);
    this.tracer = options.tracer ?? trace.getTracer(SCOPE);
    this.metrics = new LockMetrics(options.meter ?? metrics.getMeter(SCOPE));
    this.group = options.nameOf ?? groupOf;
  }

  start(): () => void {
    const heard: [string, (event: never) => void][] = [
      [`tracing:${SCOPE}:acquire:start`, this.asked],
      [`tracing:${SCOPE}:acquire:error`, this.failed],
      [`tracing:${SCOPE}:acquire:asyncEnd`, this.ended],
      [`${SCOPE}:granted`, this.granted],
      [`${SCOPE}:released`, this.released],
      [`${SCOPE}:lost`, this.lost],
      [`${SCOPE}:at-risk`, this.atRisk],
      [`${SCOPE}:renewed`, this.renewed],
      [`${SCOPE}:store-error`, this.storeFailed],
    ];
    for (const [channel, listener] of heard) subscribe(channel, listener as (event: unknown) => void);
    return () => {
      for (const [channel, listener] of heard) unsubscribe(channel, listener as (event: unknown) => void);
      this.stop();
    };
  }

  private stop(): void {
    for (const call of [...this.waits.keys()]) this.stopped(call)?.span.end();
    for (const { span, of } of this.holds.values()) {
      this.metrics.gone(of);
      span.end();
    }
    this.holds.clear();
  }

  private readonly asked = (call: LockAcquireEvent): void => {
    const of = { 'lock.name': this.nameOf(call) };
    const around = context.active();
    const span = this.tracer.startSpan('lock.wait', { attributes: this.spanAttributes(call, of) }, around);
    this.metrics.asked(of);
    this.waits.set(call, { began: performance.now(), around, span, of });
  };

  private readonly granted = (event: LockGrantedEvent): void => {
    const wait = event.acquire && this.stopped(event.acquire);
    const of = wait?.of ?? { 'lock.name': this.nameOf(event) };
    this.metrics.granted(of, event.waited);
    const attributes = { ...this.spanAttributes(event, of), 'lock.fence': event.fence };
    if (wait) {
      wait.span.setAttribute('lock.handed_off', event.handedOff);
      wait.span.end();
    }
    const links = wait ? [{ context: wait.span.spanContext() }] : [];
    const span = this.tracer.startSpan('lock.hold', { attributes, links }, wait?.around ?? ROOT_CONTEXT);
    this.holds.set(event.leaseId, { span, of });
  };

  private readonly failed = (call: LockAcquireEvent & { readonly error?: unknown }): void => {
    const wait = this.stopped(call);
    if (!wait) return;
    const { code, reason } = (call.error ?? {}) as { readonly code?: string; readonly reason?: string };
    const why = reason === undefined ? {} : { 'lock.reason': reason };
    const type = { 'error.type': code ?? OTHER };
    this.metrics.refused(wait.of, { ...why, ...type }, performance.now() - wait.began);
    wait.span.setAttributes(why);
    if (!EXPECTED.has(reason)) wait.span.setAttributes(type).setStatus({ code: SpanStatusCode.ERROR });
    wait.span.end();
  };

  /** For calls whose grant did not say whose it is: of another version of this package. */
  private readonly ended = (call: LockAcquireEvent): void => {
    this.stopped(call)?.span.end();
  };

  private readonly released = (event: LockReleasedEvent): void => {
    const hold = this.gone(event);
    this.metrics.released(hold?.of ?? { 'lock.name': this.nameOf(event) }, event.held);
    hold?.span.end();
  };

  private readonly lost = (event: LockLostEvent): void => {
    const hold = this.gone(event);
    this.metrics.lost(hold?.of ?? { 'lock.name': this.nameOf(event) }, event.reason, event.held);
    if (!hold) return;
    hold.span.setAttributes({ 'error.type': 'LOCK_LOST', 'lock.reason': event.reason });
    hold.span.setStatus({ code: SpanStatusCode.ERROR });
    hold.span.end();
  };

  private readonly atRisk = (event: LockAtRiskEvent): void => {
    const hold = this.holds.get(event.leaseId);
    this.metrics.atRisk(hold?.of ?? { 'lock.name': this.nameOf(event) });
    hold?.span.addEvent('at risk', { 'lock.remaining': event.remaining / 1_000 });
  };

  private readonly renewed = (event: LockRenewedEvent): void => {
    const of = this.holds.get(event.leaseId)?.of ?? { 'lock.name': this.nameOf(event) };
    this.metrics.renewed(of, event.lag);
  };

  private readonly storeFailed = ({ command, refused }: LockStoreErrorEvent): void => {
    this.metrics.failed(command, refused);
  };

  /** What stands for a lock in `lock.name`. It never throws: Node ends a process whose listener does. */
  private nameOf(lock: LockEvent): string {
    const value = this.valueOf(lock);
    if (value === OTHER || this.values.has(value)) return value;
    if (this.values.size < MOST_VALUES) {
      this.values.add(value);
      return value;
    }
    this.say(
      `lock.name has ${MOST_VALUES} values, and every further one is told as ${OTHER}: give calls a label, or the option ` +
        'nameOf, so that there are fewer.',
    );
    return OTHER;
  }

  private valueOf(lock: LockEvent): string {
    try {
      const value = this.group(lock);
      if (typeof value === 'string' && value !== '') return value;
      this.say(`The option nameOf of instrumentLocks has to return a text; it returned ${typeof value}.`);
    } catch (error) {
      const what = error instanceof Error ? error.name : typeof error;
      this.say(`The option nameOf of instrumentLocks has thrown (${what}).`);
    }
    return OTHER;
  }

  private say(words: string): void {
    if (!this.said.has(words)) diag.warn(words);
    this.said.add(words);
  }

  /** The call no longer waits; undefined if that is known already. */
  private stopped(call: LockAcquireEvent): Waiting | undefined {
    const wait = this.waits.get(call);
    if (!wait) return undefined;
    this.waits.delete(call);
    this.metrics.stopped(wait.of);
    return wait;
  }

  /** The lease has ended; undefined if it was granted before we listened. */
  private gone({ leaseId }: LockReleasedEvent | LockLostEvent): Held | undefined {
    const hold = this.holds.get(leaseId);
    if (!hold) return undefined;
    this.holds.delete(leaseId);
    this.metrics.gone(hold.of);
    return hold;
  }

  private spanAttributes(lock: LockEvent, of: Attributes): Attributes {
    const { name, label, units } = lock;
    return {
      ...of,
      ...(this.options.namesOnSpans === true && { 'lock.name': name }),
      ...(label !== undefined && { 'lock.label': label }),
      'lock.units': units,
    };
  }
}

// Ids and addresses are no words: they have digits, `@` and dots.
const WORD = /^(?:tenant:[^:]*:)?([A-Za-z][A-Za-z_-]*):/;

/** The label, else the word that the name begins with. Anything else may be an id or an address, so it is not told. */
function groupOf({ name, label }: LockEvent): string {
  return label ?? WORD.exec(name)?.[1] ?? OTHER;
}

// The errors of this package are not imported: that would load ioredis, perhaps before the SDK has instrumented it.
function checkOptions(options: LockInstrumentationOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`instrumentLocks takes an object of options; it was given ${shown(options)}.`);
  const { tracer, meter, namesOnSpans, nameOf, ...others } = options;
  const unknown = Object.entries(others).find(([, value]) => value !== undefined);
  if (unknown)
    throw new TypeError(
      `There is no option '${unknown[0]}' here; the options are tracer, meter, namesOnSpans, nameOf.`,
    );
  if (tracer !== undefined && typeof tracer.startSpan !== 'function')
    throw new TypeError(`The option tracer takes a Tracer of OpenTelemetry; it was ${shown(tracer)}.`);
  if (meter !== undefined && typeof meter.createHistogram !== 'function')
    throw new TypeError(`The option meter takes a Meter of OpenTelemetry; it was ${shown(meter)}.`);
  if (namesOnSpans !== undefined && typeof namesOnSpans !== 'boolean')
    throw new TypeError(`The option namesOnSpans takes true or false; it was ${shown(namesOnSpans)}.`);
  if (nameOf !== undefined && typeof nameOf !== 'function')
    throw new TypeError(`The option nameOf takes a function of a lock; it was ${shown(nameOf)}.`);
}

function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : `${typeof value} ${String(value)}`;
}
