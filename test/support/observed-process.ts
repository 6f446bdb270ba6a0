// A process with locks and OpenTelemetry, driven by lines on its standard input. Its metrics are scraped at PORT.
//   node observed-process.ts URL PORT → ready
//   hold NAME MS TTL TRACE SPAN → holding, then held or lost; a child of the remote span, if one is given
//   crowd NAME COUNT MS → crowded    give-up NAME MS → LOCK_BUSY    time → time MS    spans → spans JSON    close → closed
import { context, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { instrumentLocks } from '../../lib/opentelemetry/index.js';

const [url = '', port = ''] = process.argv.slice(2);
const spans = new InMemorySpanExporter();
const reader = new PrometheusExporter({ host: '127.0.0.1', port: Number(port), preventServerStart: true });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const meters = new MeterProvider({ readers: [reader] });
const stop = instrumentLocks({ tracer: tracers.getTracer('test'), meter: meters.getMeter('test') });
const locks = createLockService({ redis: url, shutdownGrace: 0, log: { warn: () => undefined } });
const input = createInterface({ input: process.stdin });

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const milliseconds = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1e6;

/** What a test reads of a span. */
function plain(span: ReadableSpan): object {
  const [start, end] = [milliseconds(span.startTime), milliseconds(span.endTime)];
  const { traceId } = span.spanContext();
  return { name: span.name, start, end, traceId, parent: span.parentSpanContext?.spanId };
}

async function hold(name: string, ms: number, ttl: number): Promise<string> {
  const lease = await locks.acquire(name, { ttl, wait: '30s' });
  console.log('holding');
  await pass(ms);
  return (await lease.release()) === 'released' ? 'held' : 'lost';
}

async function obey(line: string): Promise<string> {
  const [verb, name = '', ...more] = line.split(' ');
  const [first = 0, second = 0] = more.map(Number);
  switch (verb) {
    case 'hold': {
      const [traceId = '', spanId = ''] = more.slice(2);
      const remote = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
      const around = traceId === '' ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
      return context.with(around, () => hold(name, first, second));
    }
    case 'crowd':
      await Promise.all(Array.from({ length: first }, () => locks.using(name, () => pass(second))));
      return 'crowded';
    case 'give-up':
      return locks.acquire(name, { wait: first }).then(
        () => 'granted',
        ({ code }: { code: string }) => code,
      );
    case 'time':
      return `time ${performance.timeOrigin + performance.now()} `;
    case 'spans':
      return `spans ${JSON.stringify(spans.getFinishedSpans().map(plain))} `;
    case 'close':
      stop();
      await Promise.all([locks.close(), reader.stopServer(), meters.shutdown()]);
      input.close();
      return 'closed';
    default:
      return `what is '${line}'?`;
  }
}

input.on('line', (line) => void obey(line).then(console.log, (error: Error) => console.log(error.message)));
await Promise.all([reader.startServer(), locks.ready()]);
console.log('ready');
void once(input, 'close').then(() => process.stdin.destroy());
