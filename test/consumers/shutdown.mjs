// What a deploy does to applications of users: they run in processes of their own, on a real Redis.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';

const JOBS = 200;

/** A port that nobody listens to now. */
export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A program of the consumer, run by `command`; `says` waits for its words, `ended` for its end. */
function start(home, command, script, argument, env) {
  const child = spawn(command[0], [...command.slice(1), join('src', script), argument], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const program = { said: '', kill: () => child.kill('SIGTERM') };
  program.ended = new Promise((resolve) =>
    child.on('exit', (code, signal) => {
      clearTimeout(limit);
      resolve(signal ?? code);
    }),
  );
  program.says = (words) =>
    Promise.race([
      new Promise((resolve) => {
        const look = () => program.said.includes(words) && resolve();
        child.stdout.on('data', look);
        look();
      }),
      program.ended.then((end) => {
        if (!program.said.includes(words))
          throw new Error(`ended with ${end} without '${words}': ${program.said}`);
      }),
    ]);
  child.stdout.on('data', (text) => (program.said += text));
  return program;
}

async function isFree(home, env, name) {
  const { createLockService } = createRequire(join(home, 'package.json'))('nestjs-distributed-lock');
  const locks = createLockService({ redis: env.REDIS_URL, namespace: env.NAMESPACE });
  try {
    return (await locks.tryAcquire(name)) !== undefined;
  } finally {
    await locks.close();
  }
}

/** SIGTERM, and hooks that throw, over all kinds of applications. */
export async function checkShutdowns(home, url, command) {
  const environment = async (more) => ({
    REDIS_URL: url,
    NAMESPACE: `shutdown-${randomUUID()}`,
    PORT: String(await freePort()),
    ...more,
  });
  for (const kind of ['http', 'standalone', 'microservice', 'hybrid']) {
    const env = await environment({});
    const app = start(home, command, 'shutdown-app.cjs', kind, env);
    await app.says('ready');
    const begun = performance.now();
    app.kill();
    assert.equal(await app.ended, 'SIGTERM', kind);
    const took = performance.now() - begun;
    assert.match(app.said, /worker: went on, refused 0/, kind);
    assert.match(app.said, /leads\nready\nleads no more: stopped\nhooks begin/, kind);
    assert.ok(took > 2_000 && took < 7_000, `${kind} took ${took} ms`);
    assert.ok(await isFree(home, env, 'never-released'), kind);
  }
  for (const hook of ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown']) {
    const env = await environment({ THROWS: hook });
    const app = start(home, command, 'shutdown-app.cjs', 'standalone', env);
    assert.equal(await app.ended, 0, `${hook} throws: ${app.said}`);
    assert.match(app.said, /closed|close failed: broken/, hook);
    assert.ok(await isFree(home, env, 'never-released'), hook);
  }
}

/** SIGTERM with a full queue: what was not begun is left for the next process. */
export async function checkQueues(home, url, command) {
  const { Queue } = createRequire(join(home, 'package.json'))('bullmq');
  const { hostname: host, port } = new URL(url);
  for (const layout of ['before', 'after', 'global', 'by-hand']) {
    const name = `orders-${randomUUID()}`;
    const env = { REDIS_URL: url, NAMESPACE: name, QUEUE: name };
    const queue = new Queue(name, { connection: { host, port: Number(port) } });
    const counts = () => queue.getJobCounts('completed', 'failed', 'waiting', 'active', 'delayed');
    try {
      const ms = (n) => (n === 0 && layout !== 'by-hand' ? 2_000 : 20);
      const jobs = layout === 'by-hand' ? 4 * JOBS : JOBS; // many seconds of work: some is left, however late the drain ends
      await queue.addBulk(Array.from({ length: jobs }, (_, n) => ({ name: `c${n}`, data: { ms: ms(n) } })));
      const first = start(home, command, 'queue-app.cjs', layout, env);
      if (layout === 'by-hand') {
        await first.ended;
        const { completed, failed, waiting, active, delayed } = await counts();
        // What was refused comes back after a moment, perhaps before it is counted here.
        assert.deepEqual(
          { failed, active, all: completed + waiting + delayed },
          { failed: 0, active: 0, all: jobs },
          layout,
        );
        assert.ok(completed < jobs, 'the queue was empty before the shutdown');
        continue;
      }
      await first.says('ready');
      await first.says('a long job runs');
      first.kill();
      assert.equal(await first.ended, 'SIGTERM');
      const { completed, failed, waiting, active } = await counts();
      assert.deepEqual(
        { failed, active, all: completed + waiting },
        { failed: 0, active: 0, all: JOBS },
        layout,
      );
      assert.ok(waiting > 0, 'the queue was empty before the shutdown');
      const next = start(home, command, 'queue-app.cjs', layout, env);
      for (let now = await counts(); now.completed < JOBS && now.failed === 0; now = await counts())
        await new Promise((resolve) => setTimeout(resolve, 20));
      next.kill();
      await next.ended;
      const end = await counts();
      assert.deepEqual([end.completed, end.failed], [JOBS, 0], layout);
      console.log(
        `  ${layout}: ${completed} jobs done before the shutdown, 0 failed, ${waiting} done by the next process`,
      );
    } finally {
      await queue.obliterate({ force: true });
      await queue.close();
    }
  }
}
