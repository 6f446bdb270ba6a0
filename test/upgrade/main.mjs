// A rolling upgrade: processes of the last release and of this tree, packed as users get them, share names on one server,
// and hand them on in both directions: npm run test:upgrade.
import assert from 'node:assert/strict';
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../consumers/shutdown.mjs';

const root = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'lock-upgrade-'));
const NAMESPACE = 'shop';
const PATIENCE = 20_000;
// A waiter that was not told of its grant asks after 900 ms at the earliest.
const TOLD = 800;
const ROUNDS = 60;

function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 300_000,
    ...options,
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}

/** The last release, made by pack-release.mjs: of these files the one with the highest name. */
function releasedTarball() {
  const home = join(import.meta.dirname, 'released');
  return join(
    home,
    readdirSync(home)
      .filter((file) => file.endsWith('.tgz'))
      .sort()
      .at(-1),
  );
}

/** This tree as it was built. */
function packedTarball() {
  const said = run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', directory], {
    cwd: root,
  });
  return join(directory, said.trim().split('\n').at(-1));
}

/** Unpacks a tarball beside the packages that this tree has; returns its entry without Nest. */
function install(name, tarball) {
  const home = join(directory, name);
  mkdirSync(home);
  run('tar', ['-xzf', tarball, '-C', home]);
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  return join(home, 'package/dist/esm/plain.js');
}

class Worker {
  #orders = 0;
  #open = new Map();

  constructor(build, entry, url) {
    this.build = build;
    this.child = fork(join(import.meta.dirname, 'worker.mjs'), [entry, url, NAMESPACE], { stdio: 'inherit' });
    this.ended = once(this.child, 'exit');
    this.child.on('message', ({ id, value, error }) => {
      const order = this.#open.get(id);
      this.#open.delete(id);
      if (error) order?.reject(Object.assign(new Error(error.message), error));
      else order?.resolve(value);
    });
  }

  /** Carries out an order; rejects with what it failed with there. */
  do(verb, ...args) {
    const id = (this.#orders += 1);
    const limit = setTimeout(
      () => this.#open.get(id)?.reject(new Error(`${this.build}: ${verb} is not answered`)),
      PATIENCE,
    );
    const answer = new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.child.send({ id, verb, args });
    }).finally(() => clearTimeout(limit));
    answer.catch(() => undefined); // it may come before anybody waits for it
    return answer;
  }

  async close() {
    if (this.child.connected) await this.do('close');
    await this.ended;
  }
}

async function startServer() {
  const port = await freePort();
  const binary = process.env.REDIS_SERVER_BINARY || 'redis-server';
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory];
  const server = spawn(binary, args, { stdio: 'ignore' });
  process.on('exit', () => server.kill('SIGKILL'));
  const ended = once(server, 'exit');
  const stop = async () => {
    server.kill('SIGKILL');
    await ended;
  };
  return { url: `redis://127.0.0.1:${port}`, stop };
}

async function until(what, met) {
  for (const end = performance.now() + PATIENCE; !(await met()); await sleep(5))
    if (performance.now() > end) throw new Error(`Waited in vain: ${what}`);
}

const queued = (worker, name, length) =>
  until(`${length} wait for ${name}`, async () => (await worker.do('inspect', name)).queue.length === length);

/** Everything that one of them does first and the other one after it. */
const scenarios = {
  async 'a lock is handed on by notice, and fences grow'(one, two, name) {
    let before = 0;
    for (const [holder, waiter] of [
      [one, two],
      [one, two], // the waiter hears by now
    ]) {
      const held = await holder.do('acquire', name, { ttl: '30s' });
      assert.ok(held > before);
      const waiting = waiter.do('acquire', name, { ttl: '30s' });
      await queued(holder, name, 1);
      const since = performance.now();
      assert.equal(await holder.do('release', held), 'released');
      const granted = await waiting;
      if (before > 0) assert.ok(performance.now() - since < TOLD, 'the waiter was not told');
      assert.ok(granted > held);
      await waiter.do('renew', granted);
      await waiter.do('release', granted);
      before = granted;
    }
  },

  async 'more wait than a compact record has room for, and each has its turn'(one, two, name, more) {
    const held = await one.do('acquire', name);
    // Of one process only one stands in the queue, so it takes many processes or many shares.
    const order = [];
    const waiting = more.map((worker, index) =>
      worker.do('acquire', name).then(async (fence) => {
        order.push(fence);
        await worker.do('release', fence);
        return index;
      }),
    );
    await queued(two, name, more.length);
    await one.do('release', held);
    await Promise.all(waiting);
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  },

  async 'readers, a writer and permits are kept apart'(one, two, name) {
    const reads = await Promise.all([one, two].map((each) => each.do('acquire', name, { side: 'read' })));
    await assert.rejects(two.do('acquire', name, { side: 'write', wait: 0 }), { code: 'LOCK_BUSY' });
    const writing = two.do('acquire', name, { side: 'write' });
    await queued(one, name, 1);
    await Promise.all([one.do('release', reads[0]), two.do('release', reads[1])]);
    const written = await writing;
    assert.ok(written > Math.max(...reads));
    await two.do('release', written);

    const permits = { permits: 2, wait: 0 };
    const places = [
      await one.do('acquire', `${name}:places`, permits),
      await two.do('acquire', `${name}:places`, permits),
    ];
    await assert.rejects(one.do('acquire', `${name}:places`, permits), { code: 'LOCK_BUSY' });
    await one.do('release', places[0]);
    await two.do('release', places[1]);
  },

  async 'who holds is reported, and revoked with its reason'(one, two, name) {
    const held = await one.do('acquire', name, { label: 'nightly report' });
    const { holders } = await two.do('inspect', name);
    assert.deepEqual(
      holders.map(({ pid, label }) => [pid, label]),
      [[one.child.pid, 'nightly report']],
    );
    const lost = one.do('lost', held);
    assert.equal(await two.do('revoke', name, { reason: 'by the other build', force: true }), true);
    const { reason, message } = await lost;
    assert.equal(reason, 'revoked');
    assert.match(message, /by the other build/);
    const next = await two.do('acquire', name, { wait: 0 });
    assert.ok(next > held);
    await two.do('release', next);
  },

  async 'whoever waits may say what it holds, and is granted all the same'(one, two, name, more) {
    for (const crowd of [[], more]) {
      const held = await one.do('acquire', name, { ttl: '30s' });
      const waiting = two.do('nested', `${name}:held`, name);
      await queued(one, name, 1);
      // In a crowd the record is a hash.
      const others = [];
      for (const [index, worker] of crowd.entries()) {
        others.push(worker.do('acquire', name).then((fence) => worker.do('release', fence)));
        await queued(one, name, index + 2);
      }
      const says = async () => JSON.stringify(await two.do('raw', name)).includes('~');
      if (two.build === 'new') await until('it says what it holds', says);
      else assert.equal(await says(), false);
      const since = performance.now();
      assert.equal(await one.do('release', held), 'released');
      const granted = await waiting;
      assert.ok(performance.now() - since < TOLD, 'the waiter was not told');
      assert.ok(granted > held);
      await Promise.all(others);
    }
  },

  async 'a latch is set by one, counted by both, and opens for both'(one, two, name) {
    assert.equal(await one.do('latch', name, 'trySetCount', 2), true);
    const opened = [one, two].map((each) => each.do('latch', name, 'opened', { wait: '10s' }));
    assert.equal(await two.do('latch', name, 'countDown'), 1);
    assert.equal(await one.do('latch', name, 'countDown'), 0);
    await Promise.all(opened);
  },
};

let passed = 0;
const done = (what) => {
  passed += 1;
  console.log(`ok   ${what}`);
};

let server;
const workers = [];
try {
  const entries = { old: install('old', releasedTarball()), new: install('new', packedTarball()) };
  server = await startServer();
  const admin = new Redis(server.url, { retryStrategy: () => 20 });
  admin.on('error', () => undefined);
  await admin.ping();
  const start = (build) => {
    const worker = new Worker(build, entries[build], server.url);
    workers.push(worker);
    return worker;
  };
  const [old, young, ...more] = [
    'old',
    'new',
    ...Array.from({ length: 10 }, (_, i) => (i % 2 ? 'old' : 'new')),
  ].map(start);
  await Promise.all(workers.map((worker) => worker.do('ready')));

  for (const [what, play] of Object.entries(scenarios))
    for (const [one, two] of [
      [old, young],
      [young, old],
    ]) {
      await play(one, two, `${one.build} first: ${what.slice(0, 12)}`, more);
      done(`${one.build} and then ${two.build}: ${what}`);
    }

  // All at once: no reads and writes of two processes may cross.
  const counting = [old, young, ...more.slice(0, 2)];
  const fences = await Promise.all(counting.map((worker) => worker.do('count', 'counted', ROUNDS)));
  assert.equal(Number(await admin.get(`${NAMESPACE}-count`)), counting.length * ROUNDS);
  assert.equal(new Set(fences.flat()).size, counting.length * ROUNDS);
  for (const each of fences)
    assert.deepEqual(
      each,
      [...each].sort((a, b) => a - b),
    );
  done(`old and new count ${counting.length * ROUNDS} times under one name, and lose none`);

  for (const [build, other] of [
    ['old', young],
    ['new', old],
  ]) {
    const dead = start(build);
    const fence = await dead.do('acquire', `killed ${build}`, { ttl: 1_000 });
    dead.child.kill('SIGKILL');
    const next = await other.do('acquire', `killed ${build}`, { wait: '10s' });
    assert.ok(next > fence);
    await other.do('release', next);
    done(`${build} is killed, and ${other.build} has its lock when the lease is over`);
  }

  // What neither of them knows is left alone by both.
  const unknown = [
    ['compact', 'lock9 - 1795859405609276 B.1'],
    ['general', { v: '9', capacity: '5', fence: '1795859405609276' }],
  ];
  for (const [form, record] of unknown)
    for (const worker of [old, young]) {
      const [name, key] = [`unknown ${form}`, `${NAMESPACE}:unknown ${form}`];
      if (typeof record === 'string') await admin.set(key, record);
      else await admin.hset(key, record);
      await assert.rejects(worker.do('acquire', name), {
        code: 'LOCK_STORE',
        message: /newer version.*format 9/,
      });
      assert.deepEqual(
        typeof record === 'string' ? await admin.get(key) : { ...(await admin.hgetall(key)) },
        record,
      );
      done(`${worker.build} refuses a ${form} record of a format to come, and leaves it as it is`);
    }
  await Promise.all(workers.map((worker) => worker.close()));
  admin.disconnect();
  console.log(`Tests: ${passed} passed, 0 failed`);
} catch (error) {
  console.error(error);
  console.log(`Tests: ${passed} passed, 1 failed`);
  process.exitCode = 1;
} finally {
  for (const { child } of workers) child.kill('SIGKILL');
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
}
process.exit();
