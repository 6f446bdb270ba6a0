// One process of an application, with the build that it is told: node worker.mjs <entry> <redis url> <namespace>.
// It takes orders over IPC, { id, verb, args }, and answers { id, value } or { id, error }.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [entry, url, namespace] = process.argv.slice(2);
const { createLockService } = await import(pathToFileURL(entry).href);
const { Redis } = createRequire(entry)('ioredis');
const locks = createLockService({ redis: url, namespace, shutdownGrace: 0, log: { warn: () => undefined } });
const redis = new Redis(url);
const leases = new Map();

function acquire(name, { permits, side, ...options } = {}) {
  if (permits) return locks.semaphore(name, permits).acquire(options);
  return side ? locks.readWrite(name)[side].acquire(options) : locks.acquire(name, options);
}

const verbs = {
  ready: () => locks.ready(),
  async acquire(name, options) {
    const lease = await acquire(name, options);
    leases.set(lease.fence, lease);
    return lease.fence;
  },
  /** Holds one name, waits for the other meanwhile, and gives both back; the fence of the other. */
  nested: (own, other) => locks.using(own, () => locks.using(other, ({ fence }) => fence)),
  /** The record of a name as it is stored. */
  async raw(name) {
    const key = `${namespace}:${name}`;
    return (await redis.type(key)) === 'string' ? redis.get(key) : redis.hgetall(key);
  },
  release: (fence) => leases.get(fence).release(),
  renew: (fence) => leases.get(fence).renew(),
  /** Why the lease was lost, now or later. */
  lost: (fence) =>
    new Promise((resolve) => {
      const { signal } = leases.get(fence);
      const tell = () => resolve({ reason: signal.reason.reason, message: signal.reason.message });
      if (signal.aborted) tell();
      else signal.addEventListener('abort', tell);
    }),
  inspect: (name) => locks.inspect(name),
  revoke: (name, options) => locks.revoke(name, options),
  latch: (name, verb, ...args) => locks.latch(name)[verb](...args),
  /** Reads and writes that nothing may come between; the fences under which it was done. */
  async count(name, rounds) {
    const fences = [];
    const once = async (lease) => {
      const value = Number(await redis.get(`${namespace}-count`));
      await redis.set(`${namespace}-count`, value + 1);
      fences.push(lease.fence);
    };
    for (let round = 0; round < rounds; round += 1) await locks.using(name, once, { wait: '30s' });
    return fences;
  },
  async close() {
    redis.disconnect();
    await locks.close();
  },
};

process.on('message', async ({ id, verb, args }) => {
  try {
    process.send({ id, value: await verbs[verb](...args) });
  } catch ({ code, reason, message }) {
    process.send({ id, error: { code, reason, message } });
  }
  if (verb === 'close') process.disconnect();
});
process.on('disconnect', () => process.exit()); // however the test ended
process.send({ up: true });
