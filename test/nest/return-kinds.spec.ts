import {
  Controller,
  Get,
  type INestApplication,
  Injectable,
  type MessageEvent,
  Res,
  Scope,
  Sse,
  StreamableFile,
  type Type,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { from, map, Observable, reduce, Subject, timeout } from 'rxjs';
import { Locked, LockedStream, LockInterceptor, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { pass, until } from '../support/eventually.js';

const TEXT = 'row 0\nrow 1\nrow 2\n';
const Under = (name: string, options = {}) => UseInterceptors(LockInterceptor(name, options));

let inside = 0;
let most = 0;
/** Set, and every export stays open after each row, and has no last one. */
let paused = false;
let resume: (() => void)[] = [];
const ends: string[] = [];
let locks: LockService;

/** The work of an export, in pieces. */
async function* rows(pieces = 3): AsyncGenerator<string> {
  inside += 1;
  most = Math.max(most, inside);
  let how = 'left';
  try {
    for (let n = 0; n < pieces || paused; n += 1) {
      await pass(2);
      yield `row ${n}\n`;
      if (paused) await new Promise<void>((resolve) => resume.push(resolve));
    }
    how = 'done';
  } finally {
    inside -= 1;
    ends.push(how);
  }
}

class BriefInterceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(timeout(20));
  }
}

const source = new Subject<MessageEvent>();

/** The handlers of one scope; those of the scope request are under /request. */
function exportController(scope: Scope.DEFAULT | Scope.REQUEST): Type {
  @Controller({ path: scope === Scope.DEFAULT ? '' : 'request', scope })
  class ExportController {
    constructor(readonly locks: LockService) {}

    @Get('value')
    @Under('export')
    async value(): Promise<string> {
      let text = '';
      for await (const row of rows()) text += row;
      return text;
    }

    @Get('file')
    @Under('export')
    file(): StreamableFile {
      return new StreamableFile(Readable.from(rows()));
    }

    @Get('generator')
    @Under('export')
    generator(): AsyncGenerator<string> {
      return rows();
    }

    @Get('async-generator')
    @Under('export')
    async *asyncGenerator(): AsyncGenerator<string> {
      yield* rows();
    }

    @Get('web-stream')
    @Under('export')
    webStream(): ReadableStream {
      return ReadableStream.from(rows());
    }

    @Get('response')
    @Under('export')
    async response(): Promise<Response> {
      return new Response(ReadableStream.from(rows()).pipeThrough(new TextEncoderStream()));
    }

    @Get('node-stream')
    @Under('export')
    nodeStream(): Readable {
      return Readable.from(rows());
    }

    @Get('observable')
    @Under('export')
    observable(): Observable<string> {
      return new Observable<string>((subscriber) => from(this.value()).subscribe(subscriber));
    }

    @Get('raw')
    @Under('export')
    raw(@Res() reply: ServerResponse & { raw?: ServerResponse; hijack?: () => void }): void {
      reply.hijack?.();
      pipeline(Readable.from(rows()), reply.raw ?? reply, () => undefined);
    }

    @Get('locked-generator')
    @Locked('export')
    async *lockedGenerator(): AsyncGenerator<string> {
      yield* rows();
    }

    @Get('locked-observable')
    @LockedStream('export')
    lockedObservable(): Observable<string> {
      return this.observable();
    }

    @Sse('events')
    @Under('export')
    events(): Observable<MessageEvent> {
      return from(rows()).pipe(map((data) => ({ data })));
    }

    @Sse('locked-events')
    @LockedStream('export')
    lockedEvents(): Observable<MessageEvent> {
      return from(rows()).pipe(map((data) => ({ data })));
    }

    @Sse('quiet')
    @Under('export', { wait: 50 })
    quiet(): Observable<MessageEvent> {
      return source;
    }

    @Get('context')
    @Under('export')
    async *context(): AsyncGenerator<string> {
      yield `${this.locks.current()?.names.join()} `;
      await pass(2);
      yield `${this.locks.current()?.names.join()}`;
    }

    @Get('silent')
    @Under('export')
    async *silent(): AsyncGenerator<string> {
      inside += 1;
      await new Promise<void>((resolve) => resume.push(resolve));
      inside -= 1;
      yield 'late';
    }

    @Get('slow')
    async slow(): Promise<void> {
      await new Promise<void>((resolve) => resume.push(resolve));
    }

    @Get('given-up')
    @UseInterceptors(BriefInterceptor, LockInterceptor('export'))
    async givenUp(): Promise<string> {
      inside += 1;
      await new Promise<void>((resolve) => resume.push(resolve));
      inside -= 1;
      return 'late';
    }
  }
  return ExportController;
}

/** A new one for everybody who injects it. */
@Injectable({ scope: Scope.TRANSIENT })
class Exports {
  @Locked('export')
  async value(): Promise<string> {
    let text = '';
    for await (const row of rows()) text += row;
    return text;
  }

  @Locked('export')
  async *generator(): AsyncGenerator<string> {
    yield* rows();
  }

  @LockedStream('export')
  observable(): Observable<string> {
    return from(rows()).pipe(reduce((text, row) => text + row));
  }

  @LockedStream('export')
  events(): Observable<MessageEvent> {
    return from(rows()).pipe(map((data) => ({ data })));
  }
}

/** Handlers that return what two transient providers make. */
@Controller('transient')
class TransientController {
  private next = 0;
  private readonly exports: readonly Exports[];

  constructor(one: Exports, two: Exports) {
    this.exports = [one, two];
  }

  @Get('value')
  value() {
    return this.provider.value();
  }

  @Get('locked-generator')
  generator() {
    return this.provider.generator();
  }

  @Get('locked-observable')
  observable() {
    return this.provider.observable();
  }

  @Sse('locked-events')
  events() {
    return this.provider.events();
  }

  private get provider(): Exports {
    return this.exports[(this.next += 1) % 2]!;
  }
}

const ADAPTERS = { Express: () => new ExpressAdapter(), Fastify: () => new FastifyAdapter() };

/** What a handler returns, as docs/transports.md calls it. */
const KINDS = {
  value: 'a promise of a value',
  file: 'a `StreamableFile`',
  generator: 'an async generator that it got',
  'async-generator': 'an async generator, by `async *rows()`',
  'web-stream': 'a `ReadableStream`',
  response: 'a web `Response`',
  'node-stream': 'a stream of Node',
  raw: 'nothing: it writes to `@Res()` itself',
  observable: 'an Observable',
  events: 'an Observable, with `@Sse()`',
  'locked-generator': 'an async generator under `@Locked`',
  'locked-observable': 'an Observable under `@LockedStream`',
  'locked-events': 'an Observable under `@LockedStream`, with `@Sse()`',
} as const;
type Kind = keyof typeof KINDS;

const WHOLE: readonly Kind[] = ['value', 'observable', 'locked-observable'];
const EVENTS: readonly Kind[] = ['events', 'locked-events'];
const STREAMS = (Object.keys(KINDS) as Kind[]).filter(
  (kind) => !WHOLE.includes(kind) && !EVENTS.includes(kind),
);
const isEvents = (path: string): boolean => path.endsWith('events');

/** Where the handlers of each scope are, and of which kinds. */
const SCOPED = {
  default: ['', Object.keys(KINDS)],
  request: ['request/', Object.keys(KINDS)],
  transient: ['transient/', ['value', 'locked-generator', 'locked-observable', 'locked-events']],
} as const satisfies Record<string, readonly [string, readonly string[]]>;
const IN_SCOPES = Object.entries(SCOPED).flatMap(([scope, [prefix, kinds]]) =>
  kinds.map((kind) => [kind, scope, `${prefix}${kind}`] as const),
);

describe.each(Object.keys(ADAPTERS) as (keyof typeof ADAPTERS)[])('over %s', (adapter) => {
  const apps: INestApplication[] = [];
  let port: number;

  async function open(options = {}, forceCloseConnections = true): Promise<void> {
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot({ shutdownGrace: 100, ...options })],
      controllers: [exportController(Scope.DEFAULT), exportController(Scope.REQUEST), TransientController],
      providers: [Exports],
    }).compile();
    const app = module.createNestApplication(ADAPTERS[adapter](), {
      logger: false,
      forceCloseConnections,
    });
    apps.push(app);
    await app.listen(0);
    ({ port } = (app.getHttpServer() as Server).address() as AddressInfo);
    locks = app.get(LockService);
  }
  afterAll(() => Promise.all(apps.map((app) => app.close())));
  beforeEach(() => {
    [inside, most, paused, resume] = [0, 0, false, []];
    ends.length = 0;
  });

  const goOn = (): void => {
    for (const go of resume.splice(0)) go();
  };
  const untilItEnds = () =>
    until('it has ended', () => {
      goOn();
      return inside === 0;
    });
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  /** A request of which the first piece has come. */
  async function begun(path: string) {
    const request = httpGet({ port, path: `/${path}`, agent: false }).on('error', () => undefined);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    answer.on('data', (piece) => (text += String(piece)));
    answer.on('error', () => undefined);
    const ended = new Promise<string>((resolve) => {
      answer.on('close', () => resolve(answer.complete ? 'complete' : 'cut'));
    });
    if (path !== 'quiet') await until('the first piece', () => text.length > 0);
    return { request, ended, text: () => text };
  }
  const isFree = async (): Promise<boolean> => {
    const lease = await locks.tryAcquire('export');
    await lease?.release();
    return lease !== undefined;
  };
  const free = () => until('the lock is free', isFree);

  describe('the lock', () => {
    beforeAll(() => open());

    it.each(IN_SCOPES)(
      'is held until the response of kind %s was sent, in the scope %s',
      async (_, __, path) => {
        const answers = await Promise.all([ask(path), ask(path)]);
        if (isEvents(path))
          for (const { status, text } of answers)
            expect([status, text.match(/data: row \d/g)?.length]).toEqual([200, 3]);
        else expect(answers).toEqual(Array(2).fill({ status: 200, text: TEXT }));
        expect([most, ends]).toEqual([1, ['done', 'done']]);
        await free();
      },
    );

    it.each([...STREAMS, ...EVENTS])('is free when a client leaves the %s', async (kind) => {
      paused = true;
      const { request } = await begun(kind);
      expect(await isFree()).toBe(false);
      request.destroy();
      await untilItEnds(); // a generator at its next step
      await free();
      expect(ends).toEqual(['left']);
    });

    it('is found in the steps of a generator that NestJS runs after the interceptors', async () => {
      expect(await ask('context')).toEqual({ status: 200, text: 'export export' });
    });

    it('is kept for a handler that an interceptor outside has given up', async () => {
      expect((await ask('given-up')).status).toBe(500);
      expect([inside, await isFree()]).toEqual([1, false]);
      goOn();
      await free();
      expect(inside).toBe(0);
    });

    it('is free when a pipelined request behind a slow one loses its connection', async () => {
      paused = true;
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /raw HTTP/1.1\r\nHost: a\r\n\r\n');
      await until('the second works', () => inside === 1);
      socket.destroy();
      await free();
      paused = false; // nothing tells the handler itself
      await untilItEnds();
    });
  });

  describe('a lease that is lost', () => {
    beforeAll(() => open({ ttl: 300 })); // so that a holder soon learns of a revocation

    it.each([...STREAMS, ...EVENTS])('ends the %s, and no client takes it for complete', async (kind) => {
      paused = true;
      const { ended, text } = await begun(kind);
      await locks.revoke('export', { reason: 'operator', force: true });
      if (kind === 'locked-generator') await untilItEnds(); // nothing but a step tells it
      const how = await ended;
      if (isEvents(kind)) {
        expect(text()).toContain('event: error');
        expect(text()).not.toMatch(/export|fence/);
      } else expect(how).toBe('cut');
      await untilItEnds();
      expect(ends).toEqual(['left']);
      await free();
    });

    it('answers 503 for a generator that has sent nothing', async () => {
      const asked = ask('silent');
      await until('it works', () => inside === 1);
      await locks.revoke('export', { reason: 'operator', force: true });
      expect(await asked).toMatchObject({ status: 503, text: expect.stringContaining('LOCK_LOST') });
      goOn();
      await free();
    });
  });

  describe('a shutdown', () => {
    beforeAll(() => open({}, false));

    it('ends a quiet stream of events after the grace, and then closes', async () => {
      const { ended, text } = await begun('quiet');
      await until('it listens', () => source.observed);
      const other = await begun('quiet');
      await other.ended;
      expect(other.text()).toContain('The resource is locked, try again later');
      const closed = apps.at(-1)!.close();
      await ended;
      expect(text()).toContain('The lock was lost');
      expect(source.observed).toBe(false);
      await closed;
    });
  });
});
