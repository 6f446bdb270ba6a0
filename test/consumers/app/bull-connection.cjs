// The connection that BullMQ works over, given to the locks, too: node bull-connection.cjs, with REDIS_URL and NAMESPACE.
const assert = require('node:assert/strict');
const { Queue } = require('bullmq');
const { Redis } = require('ioredis');
const { createLockService } = require('nestjs-distributed-lock/plain');

const { REDIS_URL: redis, NAMESPACE: namespace } = process.env;
const { hostname: host, port } = new URL(redis);

async function main() {
  const client = new Redis({ host, port: Number(port), db: 3, maxRetriesPerRequest: null });
  const queue = new Queue(`${namespace}-queue`, { connection: client });
  await queue.add('job', {}); // BullMQ has sent what it sends at first
  let sent = 0;
  const send = client.sendCommand.bind(client);
  client.sendCommand = (...args) => {
    sent += 1;
    return send(...args);
  };
  const [one, two] = [1, 2].map(() => createLockService({ redis: client, namespace, shutdownGrace: 0 }));
  for (const locks of [one, two]) assert.equal((await locks.ready()).publish, true);
  // The second time both hear notices; who does not asks after 900 ms at the earliest.
  for (const told of [false, true]) {
    const lease = await one.acquire('handed');
    const waiting = two.acquire('handed');
    while ((await one.inspect('handed')).queue.length === 0);
    const since = performance.now();
    await lease.release();
    const next = await waiting;
    assert.ok(!told || performance.now() - since < 800, 'the waiter was not told of its grant');
    await next.release();
  }
  await Promise.all([one.close(), two.close()]);
  assert.equal(sent, 0, 'commands of the locks went over the connection of BullMQ');

  assert.equal(await client.exists(`${namespace}:handed`), 1, 'the locks are not in database 3');
  assert.equal(client.status, 'ready');
  await queue.obliterate({ force: true });
  await queue.close();
  client.disconnect();
}
void main();
