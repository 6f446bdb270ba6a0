// The kinds of locks over four processes: npm run test:kinds. Prints figures and ends with `Tests: N passed, M failed`.
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import { startRedis } from '../../../tools/redis/start-redis.js';
import { Lag } from '../../support/lag.js';
import type { KindsCommand, KindsReply } from './kinds-process.js';

const ENTRY = fileURLToPath(new URL('./kinds-process.ts', import.meta.url));
const RUNS = 10_000;
const NAMES = Array.from({ length: 8 }, (_, index) => `account:${index}`);
const TTL = 1_000;
const GUARD = 250;

const redis = await startRedis();
const locks = createLockService({ redis: redis.url, ttl: TTL });
const processes = await Promise.all(Array.from({ length: 4 }, begin));
let [passed, failed] = [0, 0];

async function begin(): Promise<ChildProcess> {
  const child = fork(ENTRY, [redis.url], { execArgv: ['--import', './test/support/typescript.mjs'] });
  await once(child, 'message');
  return child;
}

async function tell(child: ChildProcess, command: KindsCommand): Promise<KindsReply> {
  child.send(command);
  const [reply] = (await once(child, 'message')) as [KindsReply];
  return reply;
}

const tellAll = (command: KindsCommand): Promise<KindsReply[]> =>
  Promise.all(processes.map((child) => tell(child, command)));

const sumOf = (replies: readonly KindsReply[]): number => replies.reduce((sum, { done }) => sum + done, 0);

async function check(name: string, work: () => Promise<string>): Promise<void> {
  const start = performance.now();
  try {
    const figures = await work();
    passed += 1;
    console.log(`ok      ${name}: ${figures} (${((performance.now() - start) / 1_000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${(error as Error).message}`);
  }
}

await check('allOf in random order over 4 processes', async () => {
  const start = performance.now();
  const replies = await tellAll({ kind: 'all-of', runs: RUNS / 4, names: NAMES });
  const seconds = (performance.now() - start) / 1_000;
  assert.deepEqual(
    replies.map(({ errors }) => errors),
    [{}, {}, {}, {}],
    'no run ends by wait or by any error',
  );
  assert.equal(sumOf(replies), RUNS, 'all runs end');
  assert.equal(
    Math.max(...replies.map(({ most }) => most)),
    1,
    'nobody is beside another under any of the names',
  );
  const inUse = await Promise.all(NAMES.map(async (name) => (await locks.inspect(name)).inUse));
  assert.deepEqual(
    inUse,
    NAMES.map(() => 0),
    'nothing is left behind',
  );
  return `${RUNS} runs of 2 to 4 of ${NAMES.length} names, 0 by wait, 0 partly held, ${Math.round(RUNS / seconds)} runs/s`;
});

await check('32 readers at once over 4 processes', async () => {
  const replies = await tellAll({ kind: 'meet', callers: 8, all: 32 });
  assert.deepEqual(
    replies.map(({ errors }) => errors),
    [{}, {}, {}, {}],
  );
  assert.equal(sumOf(replies), 32);
  return 'each of 32 was inside until all of them were';
});

await check('a writer among a stream of readers', async () => {
  const data = new Redis(redis.url);
  let streaming = true;
  const stream = tellAll({ kind: 'stream', callers: 8, rounds: 100 }).finally(() => (streaming = false));
  const waits: number[] = [];
  using lag = new Lag();
  while (streaming) {
    const asked = performance.now();
    await locks.readWrite('catalog').write.using(async () => {
      waits.push(performance.now() - asked);
      await data.incr('inside:writer');
      await sleep(3); // longer than a reader stays that does not belong here
      await data.del('inside:writer');
    });
    await sleep(20);
  }
  data.disconnect();
  const replies = await stream;
  assert.deepEqual(
    replies.map(({ errors }) => errors),
    [{}, {}, {}, {}],
  );
  assert.deepEqual(
    replies.map(({ most }) => most),
    [0, 0, 0, 0],
    'no reader saw a writer beside it',
  );
  assert.equal(sumOf(replies), 3_200);
  const longest = Math.max(...waits);
  // Those before it stay for 2 ms and a round trip; a stream that passed it would take seconds.
  assert.ok(longest < 200 + lag.max, `a writer waited ${Math.round(longest)} ms`);
  return `${waits.length} writers beside 3 200 reads, the longest wait ${Math.round(longest)} ms (event-loop lag up to ${Math.round(lag.max)} ms)`;
});

await check('nested entries side by side inside a holder', async () => {
  const replies = await tellAll({ kind: 'siblings', runs: 500 });
  assert.deepEqual(
    replies.map(({ errors }) => errors),
    [{}, {}, {}, {}],
  );
  assert.equal(sumOf(replies), 6_000);
  assert.equal(Math.max(...replies.map(({ most }) => most)), 1, 'they never overlap');
  return '2 000 triples, never at once, no deadlock';
});

await check('semaphore of 3, 20 callers × 4 processes', async () => {
  const replies = await tellAll({ kind: 'permits', callers: 20, rounds: 25 });
  assert.deepEqual(
    replies.map(({ errors }) => errors),
    [{}, {}, {}, {}],
  );
  const done = sumOf(replies);
  const most = Math.max(...replies.map(({ most: own }) => own));
  assert.equal(done, 2_000);
  assert.equal(most, 3, 'never more than 3, and 3 at a time');
  return `${done} sections, at most ${most} at once`;
});

await check('the permits of a killed holder return', async () => {
  const victim = await begin();
  await tell(victim, { kind: 'hold' });
  const semaphore = locks.semaphore('printer', 3);
  assert.equal(await semaphore.available(), 0);
  using lag = new Lag();
  victim.kill('SIGKILL');
  const start = performance.now();
  const lease = await semaphore.acquire({ units: 3, wait: '10s' });
  const took = performance.now() - start;
  await lease.release();
  const bound = TTL + GUARD + lag.max;
  assert.ok(took <= bound + 20, `${Math.round(took)} ms is more than ${Math.round(bound)} ms`);
  return `after ${Math.round(took)} ms; ttl + guard + lag = ${Math.round(bound)} ms`;
});

await check('nested in opposite order ends by wait', async () => {
  const [one, two] = processes as [ChildProcess, ChildProcess];
  const start = performance.now();
  const holding = [once(one, 'message'), once(two, 'message')];
  one.send({ kind: 'nested', held: 'left', wanted: 'right', wait: 300 } satisfies KindsCommand);
  two.send({ kind: 'nested', held: 'right', wanted: 'left', wait: 5_000 } satisfies KindsCommand);
  await Promise.all(holding);
  const ends = [once(one, 'message'), once(two, 'message')];
  one.send('go');
  two.send('go');
  const [[gaveUp], [went]] = (await Promise.all(ends)) as [[KindsReply], [KindsReply]];
  assert.deepEqual(gaveUp.errors, { 'LOCK_BUSY timeout': 1 });
  assert.match(gaveUp.message ?? '', /The lock 'right'.*holds 'left'.*allOf\(\['left', 'right'\]\)/);
  assert.deepEqual([went.done, went.errors], [1, {}]);
  return `one gave up, the other went on, after ${Math.round(performance.now() - start)} ms: "${gaveUp.message}"`;
});

for (const child of processes) child.send({ kind: 'close' } satisfies KindsCommand);
await Promise.all(processes.map((child) => once(child, 'exit')));
await locks.close();
await redis.stop();
console.log(`Tests: ${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
