// One application that is shut down: node shutdown-app.cjs http|standalone|microservice|hybrid, with REDIS_URL, NAMESPACE
// and PORT. By SIGTERM; or by app.close() with THROWS=<hook>, whose error Nest 11 passes on to whoever closes.
require('reflect-metadata');
const { Inject, Injectable, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { DistributedLockModule, LockService } = require('nestjs-distributed-lock');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const { REDIS_URL: redis, NAMESPACE: namespace, PORT: port, THROWS: throws } = process.env;
const tcp = { transport: 0, options: { host: '127.0.0.1', port: Number(port) } };
const kind = process.argv[2];

/** Takes jobs until its hook, the last of Nest's phases, has ended; that takes two seconds. */
class Worker {
  constructor(locks) {
    Object.assign(this, { locks, jobs: 0, refused: 0, stopped: false, lines: [] });
  }
  onApplicationBootstrap() {
    this.lines = [1, 2, 3].map(() => this.line());
    void this.locks.acquire('never-released');
    void this.locks.lead('lead', {
      onElected: async () => console.log('leads'),
      onRevoked: (reason) => console.log(`leads no more: ${reason}`),
    });
  }
  async line() {
    while (!this.stopped) {
      const name = `job:${(this.jobs += 1)}`;
      await this.locks.using(name, () => sleep(5)).catch(() => (this.refused += 1));
    }
  }
  onModuleDestroy() {
    console.log('hooks begin');
  }
  async onApplicationShutdown() {
    const before = this.jobs;
    await sleep(throws ? 50 : 2_000);
    this.stopped = true;
    await Promise.all(this.lines);
    console.log(`worker: ${this.jobs - before > 5 ? 'went on' : 'stood still'}, refused ${this.refused}`);
  }
}
Injectable()(Worker);
Inject(LockService)(Worker, undefined, 0);

class Broken {
  constructor(worker) {
    this.worker = worker;
  }
  async [throws ?? 'nothing']() {
    this.worker.stopped = true; // nobody else stops it when hooks are not called any more
    throw new Error('broken');
  }
}
Injectable()(Broken);
Inject(Worker)(Broken, undefined, 0);

class AppModule {}
Module({
  imports: [DistributedLockModule.forRoot({ redis, namespace, shutdownGrace: 300 })],
  providers: [Worker, ...(throws ? [Broken] : [])],
})(AppModule);

const open = {
  standalone: () => NestFactory.createApplicationContext(AppModule, { logger: false }),
  http: async () => {
    const app = await NestFactory.create(AppModule, { logger: false });
    return app.listen(0, '127.0.0.1').then(() => app);
  },
  microservice: async () => {
    const app = await NestFactory.createMicroservice(AppModule, { ...tcp, logger: false });
    return app.listen().then(() => app);
  },
  hybrid: async () => {
    const app = await NestFactory.create(AppModule, { logger: false });
    app.connectMicroservice(tcp);
    await app.startAllMicroservices();
    return app.listen(0, '127.0.0.1').then(() => app);
  },
};

async function main() {
  const app = await open[kind]();
  while (app.get(Worker).jobs < 10) await sleep(5);
  if (!throws) {
    app.enableShutdownHooks();
    console.log('ready');
    return;
  }
  await app.close().then(
    () => console.log('closed'),
    (error) => console.log(`close failed: ${error.message}`),
  );
}
void main();
