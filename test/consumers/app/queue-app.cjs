// An application with locked processors of BullMQ: node queue-app.cjs before|after|global|by-hand, with REDIS_URL,
// NAMESPACE and QUEUE. By hand, the worker knows nothing of the application, and outlives its locks.
require('reflect-metadata');
const { Global, Injectable, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { BullModule, Processor, WorkerHost } = require('@nestjs/bullmq');
const bullmq = require('bullmq');
const { DistributedLockModule, Locked } = require('nestjs-distributed-lock');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const { REDIS_URL: redis, NAMESPACE: namespace, QUEUE: name } = process.env;
const { hostname: host, port } = new URL(redis);
const connection = { host, port: Number(port) };
const layout = process.argv[2];

function locked(target) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, 'process');
  Locked((job) => `customer:${job.name}`)(target.prototype, 'process', descriptor);
  Object.defineProperty(target.prototype, 'process', descriptor);
}

class Orders extends WorkerHost {
  async process(job) {
    if (job.data.ms > 1_000) console.log('a long job runs');
    await sleep(job.data.ms);
  }
}
locked(Orders);
Processor(name, { concurrency: 5 })(Orders);

class OrdersByHand {
  async process(job) {
    await sleep(job.data.ms);
  }
}
locked(OrdersByHand);
Injectable()(OrdersByHand);

const locks = DistributedLockModule.forRoot({ redis, namespace });
const bull = [BullModule.forRoot({ connection }), BullModule.registerQueue({ name })];
class QueueModule {}
Module({ imports: bull, providers: [Orders] })(QueueModule);
if (layout === 'global') Global()(QueueModule);
const imports = {
  before: [QueueModule, locks],
  after: [locks, QueueModule],
  global: [QueueModule, locks],
  'by-hand': [locks],
};
class AppModule {}
Module({ imports: imports[layout], providers: layout === 'by-hand' ? [OrdersByHand] : [] })(AppModule);

async function main() {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  if (layout !== 'by-hand') {
    app.enableShutdownHooks();
    console.log('ready');
    return;
  }
  const orders = app.get(OrdersByHand);
  const worker = new bullmq.Worker(name, (job, token) => orders.process(job, token), {
    connection,
    concurrency: 2, // both are between two jobs now and then, and the drain of the locks ends
  });
  await new Promise((resolve) => worker.once('completed', resolve));
  await app.close();
  await sleep(300);
  await worker.close();
  console.log('ready');
}
void main();
