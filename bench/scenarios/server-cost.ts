import { Redis } from 'ioredis';
import { COMPARE_AND_DELETE } from '../contenders/floor.js';
import { TTL } from '../contenders/contender.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import {
  decodeAnswer,
  encodeDatedRecord,
  encodeOperation,
  encodeTerms,
} from '../../lib/store/redis/operation-codec.js';
import { dated } from '../../lib/store/native-grant.js';
import type { NativeCommand, NativeReply } from '../../lib/store/redis/native-command.js';
import { NativePath } from '../../lib/store/redis/native-path.js';
import type { ServerSample } from '../../lib/store/server-clock.js';
import { MOST_KEYS } from '../../lib/store/redis/script-batch.js';
import { SCRIPTS } from '../../lib/store/redis/run-script.js';
import type { LockAnswer, LockOperation } from '../../lib/store/lock-operation.js';
import { WHOLE } from '../../lib/store/lock-machine.js';
import { newAttemptId, newSession } from '../../lib/store/session-id.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { type Scenario, terms } from './scenario.js';

const BATCH = 500;
const MICROS = 1_000;
const REQUEST = {
  units: WHOLE,
  capacity: WHOLE,
  ttl: TTL * MICROS,
  guard: 500 * MICROS,
  block: TTL * MICROS,
  wait: 10_000 * MICROS,
  subscribed: false,
  seal: 'AbCdEfGhIjKl',
  identity: 'service-7d9c5b6f4-x2x8p:1234',
} as const;

const ALONE = 2_000;

/** Takes and gives back so many locks, all of them on the way at once. */
type Cycles = (size: number) => Promise<void>;

/** What one uncontended cycle costs the server, all of its processor time: reading, running, writing. */
export const serverCost: Scenario = {
  id: 'server-cost',
  async run(fixture) {
    const { rounds } = terms(fixture);
    const batches = Math.ceil((fixture.quick ? 20_000 : 100_000) / BATCH / rounds);
    const client = new Redis(fixture.url);
    const runner = (id: string, label: string, role: Runner['role'], cycles: Cycles): Runner => ({
      id,
      label,
      role,
      sample: async () => ({
        micros: await costOf(fixture, cycles, BATCH, batches),
        alone: await costOf(fixture, cycles, 1, fixture.quick ? ALONE / 4 : ALONE),
      }),
    });
    const own = async (id: string, fenceMemory: number, names: number): Promise<Runner> => {
      const memory = fenceMemory > 0 ? `${fenceMemory / 1_000} s (default)` : '0';
      const calls =
        names > 1 ? `${names} names a call, as it sends what is asked at once` : 'a call for each name';
      const label = `nestjs-distributed-lock, fenceMemory ${memory}, ${calls}`;
      return runner(id, label, 'ours', await scriptCycles(client, fenceMemory, names));
    };
    const rows = await interleaved(
      [
        await own('own', 0, MOST_KEYS),
        await own('own-default', 60_000, MOST_KEYS),
        await own('own-alone', 0, 1),
        await own('own-alone-default', 60_000, 1),
        runner(
          'own-native',
          'nestjs-distributed-lock, fenceMemory 0, natively: as a free name goes that is asked for alone',
          'ours',
          await nativeCycles(client),
        ),
        runner('floor', 'SET NX PX + compare-and-delete', 'floor', await bareCycles(client)),
      ],
      terms(fixture),
    );
    client.disconnect();
    const title = `Server CPU of an uncontended cycle, ${batches * BATCH * rounds} cycles each`;
    const columns = [
      { id: 'micros', title: `µs, ${BATCH} pipelined`, better: 'less' },
      { id: 'alone', title: 'µs, one at a time', better: 'less' },
    ] as const;
    return [{ id: 'server-cost', title, section: 'none', columns, rows }];
  },
};

async function costOf(fixture: BenchFixture, cycles: Cycles, size: number, times: number): Promise<number> {
  const before = await fixture.serverCpu();
  for (let time = 0; time < times; time += 1) await cycles(size);
  return (((await fixture.serverCpu()) - before) * 1e6) / (times * size);
}

async function bareCycles(client: Redis): Promise<Cycles> {
  const digest = (await client.script('LOAD', COMPARE_AND_DELETE)) as string;
  const session = newSession();
  return async (size) => {
    const ids = Array.from({ length: size }, () => newAttemptId(session));
    const taking = client.pipeline();
    ids.forEach((id, index) => taking.set(`bare:name-${index}`, id, 'PX', TTL, 'NX'));
    await taking.exec();
    const giving = client.pipeline();
    ids.forEach((id, index) => giving.evalsha(digest, 1, `bare:name-${index}`, id));
    for (const [error, reply] of (await giving.exec()) ?? [])
      if (error || reply !== 1) throw new Error('Not held.');
  };
}

/** The native path, as the library takes it. */
async function nativeCycles(client: Redis): Promise<Cycles> {
  const path = new NativePath();
  const info = await client.info('server');
  await path.begin(client, /^run_id:(\S+)/m.exec(info)?.[1] ?? '', info);
  await client.script('LOAD', SCRIPTS.deleteIfEqual);
  const session = newSession();
  const outcomeOf = (key: string, command: NativeCommand): Promise<NativeReply> =>
    new Promise((resolve, reject) => {
      const otherwise = (): void => reject(new Error(`The script is to decide the native ${command.kind}.`));
      path.run(client, key, command, { replied: resolve, otherwise, failed: reject });
    });
  const sampled = async (): Promise<ServerSample> => {
    const sentAt = performance.now();
    const [seconds, micros] = await client.time();
    const time = Number(seconds) * 1_000_000 + Number(micros);
    return { sentAt, receivedAt: performance.now(), time };
  };
  let sample = await sampled();
  return async (size) => {
    const { stream } = client;
    const now = performance.now();
    if (now - sample.receivedAt > 100) sample = await sampled();
    sample = path.sample(sample, now) ?? sample;
    const asked = Array.from({ length: size }, (_, index) => {
      const operation = { kind: 'acquire', id: newAttemptId(session), ...REQUEST } as const;
      const hold = dated(operation, sample, performance.now());
      if (!hold) throw new Error('The sample is too old.');
      const record = encodeDatedRecord(operation, hold);
      return { key: `lock:native-name-${index}`, record, hold };
    });
    stream.cork();
    const taking = asked.map(({ key, record, hold }) =>
      outcomeOf(key, { kind: 'acquire', record, hold, unknown: false, givenUp: false }),
    );
    stream.uncork();
    const grants = await Promise.all(taking);
    sample = sampleOf(grants.at(-1), asked.at(-1)?.hold.sentAt) ?? sample;
    stream.cork();
    const giving = asked.map(({ key, record }) => outcomeOf(key, { kind: 'release', record }));
    stream.uncork();
    await Promise.all(giving);
  };
}

/** What a reply says of the server's clock, as the store keeps it. */
function sampleOf(reply: NativeReply | undefined, sentAt = NaN): ServerSample | undefined {
  return reply?.now === undefined ? undefined : { sentAt, receivedAt: performance.now(), time: reply.now };
}

/** The scripts of the library with the arguments that it sends, for so many names in each call. */
async function scriptCycles(client: Redis, fenceMemory: number, names: number): Promise<Cycles> {
  const memory = fenceMemory * MICROS;
  const session = newSession();
  const run = async (script: string, operations: readonly LockOperation[]): Promise<LockAnswer[]> => {
    const pipeline = client.pipeline();
    for (let first = 0; first < operations.length; first += names) {
      const part = operations.slice(first, first + names);
      const keys = part.map((_, index) => `lock:${fenceMemory}-${names}-name-${first + index}`);
      const args = part.flatMap((operation) => encodeOperation(operation, memory));
      pipeline.evalsha(script, part.length, ...keys, encodeTerms(memory, 'lock:session:', true), ...args);
    }
    const outcomes = (await pipeline.exec()) ?? [];
    return operations.map((operation, index) => {
      const [error, reply] = outcomes[Math.floor(index / names)] ?? [];
      if (error) throw error;
      return decodeAnswer(operation, Array.isArray(reply) ? reply[index % names] : reply);
    });
  };
  const acquire = (await client.script('LOAD', SCRIPTS.acquire)) as string;
  const release = (await client.script('LOAD', SCRIPTS.release)) as string;
  return async (size) => {
    const ids = Array.from({ length: size }, () => newAttemptId(session));
    const notAfter = (Date.now() + 1_000) * MICROS;
    const grants = await run(
      acquire,
      ids.map((id) => ({ kind: 'acquire', id, notAfter, ...REQUEST })),
    );
    const releases = ids.map((id, index) => {
      const grant = grants[index];
      if (grant?.outcome !== 'granted') throw new Error(`Not granted: ${JSON.stringify(grant)}`);
      return { kind: 'release', id, used: grant.first, keep: 0, done: 0 } as const;
    });
    for (const { outcome } of await run(release, releases))
      if (outcome !== 'released') throw new Error(`Not released: ${outcome}`);
  };
}
