import { type Attributes, context, diag, DiagLogLevel } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider } from '@opentelemetry/sdk-metrics';
import { type Histogram, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { instrumentLocks, type LockInstrumentationOptions } from '../../../lib/opentelemetry/index.js';
import { failureOf, until } from '../../support/eventually.js';

describe('locks with OpenTelemetry', () => {
  let locks: LockService;
  let stop: () => void;
  const spans = new InMemorySpanExporter();
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  let exporter: InMemoryMetricExporter;
  let meters: MeterProvider;

  beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterAll(() => context.disable());
  beforeEach(() => {
    exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    meters = new MeterProvider({ readers: [reader] });
    locks = createLockService({ redis: 'memory', shutdownGrace: 0 });
  });
  afterEach(async () => {
    stop();
    diag.disable();
    spans.reset();
    await Promise.all([locks.close(), meters.shutdown()]);
  });

  const instrument = (options: LockInstrumentationOptions = {}): void => {
    stop = instrumentLocks({ tracer: tracers.getTracer('test'), meter: meters.getMeter('test'), ...options });
  };
  const finished = (name: string): ReadableSpan[] =>
    spans.getFinishedSpans().filter((span) => span.name === name);
  /** The values of a metric by what its attributes are. */
  const pointsOf = async (metric: string): Promise<{ attributes: Attributes; value: unknown }[]> => {
    exporter.reset();
    await meters.forceFlush();
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    const found = all
      .flatMap(({ metrics }) => metrics)
      .filter(({ descriptor }) => descriptor.name === metric);
    return found.flatMap(({ dataPoints }) => dataPoints as { attributes: Attributes; value: unknown }[]);
  };
  const valueOf = async (metric: string, attributes: Attributes): Promise<unknown> =>
    (await pointsOf(metric)).find((point) => equal(point.attributes, attributes))?.value;
  const equal = (one: Attributes, other: Attributes): boolean =>
    JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());
  /** What is told to the diagnostics of OpenTelemetry. */
  const listening = (): { told: string[] } => {
    const told: string[] = [];
    const quiet = (): void => undefined;
    const warn = (text: string): void => void told.push(text);
    diag.setLogger(
      { error: warn, warn, info: quiet, debug: quiet, verbose: quiet },
      { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
    );
    return { told };
  };
  const STOCK = { 'lock.name': 'stock' };

  it('have a span for the wait and one for the hold, both children of the span of the caller', async () => {
    instrument();
    const tracer = tracers.getTracer('caller');
    const holder = await locks.acquire('stock:7');
    const work = tracer.startActiveSpan('request', async (span) => {
      await locks.using('stock:7', () => undefined, { label: 'checkout' });
      span.end();
      return span.spanContext();
    });
    await holder.release();
    const request = await work;
    await until('the spans have ended', () => finished('lock.hold').length === 2);
    const ours = (name: string): ReadableSpan =>
      finished(name).find(({ parentSpanContext }) => parentSpanContext?.spanId === request.spanId)!;
    const [wait, hold] = [ours('lock.wait'), ours('lock.hold')];
    expect(wait.spanContext().traceId).toBe(request.traceId);
    expect(wait.attributes).toMatchObject({ 'lock.name': 'checkout', 'lock.label': 'checkout' });
    expect(wait.attributes['lock.handed_off']).toBe(true);
    expect(hold.attributes['lock.fence']).toBeGreaterThan(holder.fence);
    expect(hold.links.map(({ context: { spanId } }) => spanId)).toEqual([wait.spanContext().spanId]);
    expect(JSON.stringify([wait.attributes, hold.attributes])).not.toContain('stock:7');
  });

  it('are counted while they wait and are held, and their times are in seconds, in buckets for locks', async () => {
    instrument();
    const holder = await locks.acquire('stock:1');
    const waiting = locks.acquire('stock:1');
    expect(await valueOf('lock.waiting', STOCK)).toBe(1);
    expect(await valueOf('lock.held', STOCK)).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await holder.release();
    await (await waiting).release();
    expect(await valueOf('lock.waiting', STOCK)).toBe(0);
    expect(await valueOf('lock.held', STOCK)).toBe(0);
    for (const [metric, least] of [
      ['lock.acquire.duration', 0.03],
      ['lock.hold.duration', 0.03],
    ] as const) {
      const { count, sum, buckets } = (await valueOf(metric, STOCK)) as Histogram;
      expect(count).toBe(2);
      expect(sum).toBeGreaterThanOrEqual(least);
      expect(sum).toBeLessThan(5);
      expect(buckets.boundaries[0]).toBe(0.001);
    }
  });

  it('tell why a call got no lock; only what the caller did not expect is an error', async () => {
    instrument();
    await using _holder = await locks.acquire('stock:1');
    await locks.tryAcquire('stock:1');
    await failureOf(locks.acquire('stock:1', { wait: 10 }));
    await failureOf(locks.semaphore('stock:1', 3).acquire());
    const why = (type: string, reason?: string) => ({
      ...STOCK,
      'error.type': type,
      ...(reason && { 'lock.reason': reason }),
    });
    for (const each of [why('LOCK_BUSY', 'held'), why('LOCK_BUSY', 'timeout'), why('LOCK_USAGE')])
      expect(await valueOf('lock.acquire.duration', each)).toMatchObject({ count: 1 });
    const ended = finished('lock.wait').map(({ status, attributes }) => [
      status.code,
      attributes['error.type'],
      attributes['lock.reason'],
    ]);
    expect(ended).toEqual([
      [0, undefined, undefined],
      [0, undefined, 'held'],
      [2, 'LOCK_BUSY', 'timeout'],
      [2, 'LOCK_USAGE', undefined],
    ]);
    expect(await valueOf('lock.waiting', STOCK)).toBe(0);
  });

  it('count a loss by its reason, from a zero that was there before it', async () => {
    instrument();
    await locks.using('stock:1', () => undefined);
    expect(await valueOf('lock.lost', { ...STOCK, 'lock.reason': 'expired' })).toBe(0);
    await locks.acquire('stock:1', { ttl: 100, renew: false });
    await until('it is lost', () => finished('lock.hold').length === 2);
    expect(await valueOf('lock.lost', { ...STOCK, 'lock.reason': 'expired' })).toBe(1);
    const [, hold] = finished('lock.hold');
    expect(hold).toMatchObject({ status: { code: 2 }, attributes: { 'lock.reason': 'expired' } });
    expect(await valueOf('lock.held', STOCK)).toBe(0);
    const failed = await pointsOf('lock.store.errors');
    expect(failed).toHaveLength(10);
    expect(failed.every(({ value }) => value === 0)).toBe(true);
  });

  it('measure how late renewals are confirmed', async () => {
    instrument();
    await using _lease = await locks.acquire('stock:1', { ttl: 120 });
    await until('it is renewed', async () => (await valueOf('lock.renewal.lag', STOCK)) !== undefined);
    expect(await valueOf('lock.renewal.lag', STOCK)).toMatchObject({ count: expect.any(Number) });
  });

  it('are named by their label, else by their name before the first colon, and never by the whole name', async () => {
    instrument();
    for (const name of ['user:ada@example.com', 'ada@example.com', ':odd'])
      await locks.using(name, () => undefined);
    await locks.using('job:7', () => undefined, { label: 'nightly' });
    const names = (await pointsOf('lock.hold.duration')).map(({ attributes }) => attributes['lock.name']);
    expect(names).toEqual(['user', '_OTHER', 'nightly']);
    const told = JSON.stringify([
      exporter.getMetrics(),
      spans.getFinishedSpans().map((span) => span.attributes),
    ]);
    expect(told).not.toContain('ada@example.com');
    expect(told).not.toContain('job:7');
  });

  it('are named by the word that their name begins with: no id, no address, and nothing of a tenant', async () => {
    instrument();
    for (const name of [
      ...['ada@example.com:cart', 'ada.byron:cart', '7:cart', 'a1b2c3:cart', 'tenant:ada@example.com'],
      ...['tenant:ada@example.com:stock:7', 'tenant:7f:stock:8', 'ORDER_items-open:7'],
    ])
      await locks.using(name, () => undefined);
    const names = (await pointsOf('lock.hold.duration')).map(({ attributes }) => attributes['lock.name']);
    expect(names).toEqual(['_OTHER', 'tenant', 'stock', 'ORDER_items-open']);
  });

  it('have at most 100 names, and those that come later share one', async () => {
    const { told } = listening();
    instrument({ nameOf: ({ name }) => name });
    for (let n = 0; n < 150; n += 1) await locks.using(`n:${n}`, () => undefined);
    await locks.using('n:7', () => undefined);
    const counts = (await pointsOf('lock.hold.duration')).map(
      ({ attributes, value }) => [attributes['lock.name'], (value as Histogram).count] as const,
    );
    expect(counts).toHaveLength(101);
    expect(counts).toContainEqual(['_OTHER', 50]);
    expect(counts).toContainEqual(['n:7', 2]);
    expect(told).toEqual([expect.stringMatching(/^lock.name has 100 values/)]);
  });

  it.each([
    ['throws', () => JSON.parse('-') as string, /nameOf of instrumentLocks has thrown \(SyntaxError\)/],
    ['returns no text', () => undefined as never, /has to return a text; it returned undefined/],
  ])('go on when nameOf %s', async (_, nameOf, words) => {
    const { told } = listening();
    instrument({ nameOf });
    await locks.using('job:7', () => undefined);
    expect(await valueOf('lock.held', { 'lock.name': '_OTHER' })).toBe(0);
    expect(await valueOf('lock.waiting', { 'lock.name': '_OTHER' })).toBe(0);
    expect(told).toEqual([expect.stringMatching(words)]);
  });

  it('have their whole names on spans, and names of your own everywhere, if you ask for that', async () => {
    instrument({ namesOnSpans: true, nameOf: ({ name }) => name.toUpperCase() });
    await locks.using('job:7', () => undefined);
    expect(finished('lock.hold')[0]!.attributes['lock.name']).toBe('job:7');
    expect(await valueOf('lock.held', { 'lock.name': 'JOB:7' })).toBe(0);
  });

  it('are let go by stop: open spans end, and nothing stays counted', async () => {
    instrument();
    const holder = await locks.acquire('stock:1');
    const waiting = locks.acquire('stock:1');
    stop();
    expect(finished('lock.wait')).toHaveLength(2);
    expect(finished('lock.hold')).toHaveLength(1);
    await holder.release();
    await (await waiting).release();
    expect(await valueOf('lock.waiting', STOCK)).toBe(0);
    expect(await valueOf('lock.held', STOCK)).toBe(0);
    expect(finished('lock.hold')).toHaveLength(1);
  });

  it('do not count down what they did not count up: leases from before they listened', async () => {
    const before = await locks.acquire('stock:1');
    instrument();
    await before.release();
    expect(await pointsOf('lock.held')).toEqual([]);
    expect(await valueOf('lock.hold.duration', STOCK)).toMatchObject({ count: 1 });
  });

  it.each([
    [{ tracer: 'x' }, /option tracer takes a Tracer.*string x/],
    [{ meter: {} }, /option meter takes a Meter.*an object/],
    [{ namesOnSpans: 1 }, /option namesOnSpans takes true or false; it was number 1/],
    [{ nameOf: 'stock' }, /option nameOf takes a function/],
    [{ names: true }, /no option 'names' here; the options are tracer, meter, namesOnSpans, nameOf/],
    [null, /takes an object of options/],
  ])('are refused the options %j', (options, message) => {
    stop = () => undefined;
    expect(() => instrumentLocks(options as never)).toThrow(message);
  });
});
