// What a handler may return, on this version of NestJS, over Express and Fastify: two requests at once are one after another,
// each gets all of its answer, and the lock is free afterwards.
require('reflect-metadata');
const { Controller, Get, Module, Res, Sse, StreamableFile, UseInterceptors } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { ExpressAdapter } = require('@nestjs/platform-express');
const { FastifyAdapter } = require('@nestjs/platform-fastify');
const assert = require('node:assert/strict');
const { pipeline, Readable } = require('node:stream');
const { setTimeout: pass } = require('node:timers/promises');
const { from, map } = require('rxjs');
const {
  DistributedLockModule,
  Locked,
  LockedStream,
  LockInterceptor,
  LockService,
} = require('nestjs-distributed-lock');
const { version } = require('@nestjs/core/package.json');

let inside = 0;
let most = 0;
async function* rows() {
  inside += 1;
  most = Math.max(most, inside);
  try {
    for (let n = 0; n < 3; n += 1) {
      await pass(20);
      yield `row ${n}\n`;
    }
  } finally {
    inside -= 1;
  }
}
const events = () => from(rows()).pipe(map((data) => ({ data })));

class ExportController {
  file() {
    return new StreamableFile(Readable.from(rows()));
  }
  async value() {
    let text = '';
    for await (const row of rows()) text += row;
    return text;
  }
  observable() {
    return from(this.value());
  }
  generator() {
    return rows();
  }
  raw(reply) {
    reply.hijack?.();
    pipeline(Readable.from(rows()), reply.raw ?? reply, () => undefined);
  }
  events() {
    return events();
  }
  lockedEvents() {
    return events();
  }
  async lockedFile() {
    return new StreamableFile(Readable.from(rows()));
  }
}

/** What TypeScript makes of decorators on a method, the lowest first. */
function decorate(method, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(ExportController.prototype, method);
  for (const each of decorators) each(ExportController.prototype, method, descriptor);
  Object.defineProperty(ExportController.prototype, method, descriptor);
}
Res()(ExportController.prototype, 'raw', 0);
const held = ['file', 'value', 'observable', 'generator', 'raw'];
for (const method of held) decorate(method, UseInterceptors(LockInterceptor('export')), Get(method));
decorate('events', UseInterceptors(LockInterceptor('export')), Sse('events'));
decorate('lockedEvents', LockedStream('export'), Sse('lockedEvents'));
decorate('lockedFile', Locked('export'), Get('lockedFile'));
Controller()(ExportController);

class AppModule {}
Module({ imports: [DistributedLockModule.forRoot()], controllers: [ExportController] })(AppModule);

async function check(adapter) {
  const app = await NestFactory.create(AppModule, adapter, { logger: false, forceCloseConnections: true });
  await app.listen(0);
  const { port } = app.getHttpServer().address();
  const ask = async (path) => {
    const answer = await fetch(`http://127.0.0.1:${port}/${path}`);
    return [answer.status, (await answer.text()).match(/row \d/g)?.length ?? 0];
  };
  for (const path of [...held, 'events', 'lockedEvents', 'lockedFile']) {
    most = 0;
    const answers = await Promise.all([ask(path), ask(path)]);
    // NestJS 11 answers a generator with {}.
    const silent = path === 'lockedFile' || (path === 'generator' && version.startsWith('11.'));
    const expected = path === 'lockedFile' ? [500, 0] : [200, silent ? 0 : 3];
    assert.deepEqual(answers, [expected, expected], path);
    assert.equal(most, silent ? 0 : 1, path);
    await (await app.get(LockService).acquire('export', { wait: '2s' })).release();
  }
  await app.close();
}

(async () => {
  await check(new ExpressAdapter());
  await check(new FastifyAdapter());
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
