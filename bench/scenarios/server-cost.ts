import { Redis } from 'ioredis';
import { COMPARE_AND_DELETE } from '../contenders/floor.js';
import { TTL } from '../contenders/contender.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import { decodeAnswer, encodeOperation } from '../../lib/store/redis/operation-codec.js';
import { SCRIPTS } from '../../lib/store/redis/scripts.gen.js';
import { WHOLE } from '../../lib/store/lock-state.js';
import { newAttemptId, newSession } from '../../lib/store/session-id.js';
import type { Stage } from '../stage/stage.js';
import { type Scenario, terms } from './scenario.js';

const BATCH = 500;
const MICROS = 1_000;
const GUARD = 500;
const WAIT = 10_000;

/** Takes and gives back a batch of locks. */
type Cycles = () => Promise<void>;

/** What one uncontended cycle costs the server, all of its processor time: reading, running, writing. */
export const serverCost: Scenario = {
  id: 'server-cost',
  async run(stage) {
    const { rounds } = terms(stage);
    const batches = Math.ceil((stage.quick ? 20_000 : 100_000) / BATCH / rounds);
    const client = new Redis(stage.url);
    const floor = await bareCycles(client);
    const ours = (fenceMemory: number) => scriptCycles(client, fenceMemory);
    const runner = (id: string, label: string, role: Runner['role'], cycles: Cycles): Runner => ({
      id,
      label,
      role,
      sample: async () => ({ micros: await costOf(stage, cycles, batches) }),
    });
    const rows = await interleaved(
      [
        runner('own', 'nestjs-distributed-lock, fenceMemory 0', 'ours', await ours(0)),
        runner(
          'own-default',
          'nestjs-distributed-lock, fenceMemory 60 s (default)',
          'ours',
          await ours(60_000),
        ),
        runner('floor', 'SET NX PX + compare-and-delete', 'floor', floor),
      ],
      terms(stage),
    );
    client.disconnect();
    const title = `Server CPU per uncontended cycle, ${batches * BATCH * rounds} pipelined cycles each`;
    const columns = [{ id: 'micros', title: 'µs of server CPU per cycle', better: 'less' }] as const;
    return [{ id: 'server-cost', title, section: 'none', columns, rows }];
  },
};

async function costOf(stage: Stage, cycles: Cycles, batches: number): Promise<number> {
  const before = await stage.serverCpu();
  for (let batch = 0; batch < batches; batch += 1) await cycles();
  return (((await stage.serverCpu()) - before) * 1e6) / (batches * BATCH);
}

async function bareCycles(client: Redis): Promise<Cycles> {
  const digest = (await client.script('LOAD', COMPARE_AND_DELETE)) as string;
  const session = newSession();
  return async () => {
    const ids = Array.from({ length: BATCH }, () => newAttemptId(session));
    const taking = client.pipeline();
    ids.forEach((id, index) => taking.set(`bare:name-${index}`, id, 'PX', TTL, 'NX'));
    await taking.exec();
    const giving = client.pipeline();
    ids.forEach((id, index) => giving.evalsha(digest, 1, `bare:name-${index}`, id));
    for (const [error, reply] of (await giving.exec()) ?? [])
      if (error || reply !== 1) throw new Error('Not held.');
  };
}

/** The scripts of the library with the arguments that it sends. */
async function scriptCycles(client: Redis, fenceMemory: number): Promise<Cycles> {
  const acquire = (await client.script('LOAD', SCRIPTS.acquire)) as string;
  const release = (await client.script('LOAD', SCRIPTS.release)) as string;
  const memory = fenceMemory * MICROS;
  const common = [memory, 'lock:session:', 1];
  const session = newSession();
  const key = (index: number) => `lock:${fenceMemory}-name-${index}`;
  const spans = { ttl: TTL * MICROS, guard: GUARD * MICROS, block: TTL * MICROS, wait: WAIT * MICROS };
  return async () => {
    const taking = client.pipeline();
    const operations = Array.from({ length: BATCH }, () => {
      const notAfter = (Date.now() + 1_000) * MICROS;
      const request = {
        id: newAttemptId(session),
        units: WHOLE,
        capacity: WHOLE,
        subscribed: false,
        notAfter,
      };
      return { kind: 'acquire', ...request, ...spans, who: 'service-7d9c5b6f4-x2x8p:1234' } as const;
    });
    operations.forEach((each, index) =>
      taking.evalsha(acquire, 1, key(index), ...common, ...encodeOperation(each, memory)),
    );
    const grants = (await taking.exec()) ?? [];
    const giving = client.pipeline();
    operations.forEach((operation, index) => {
      const answer = decodeAnswer(operation, (grants[index]?.[1] as unknown[] | undefined)?.[0]);
      if (answer.outcome !== 'granted') throw new Error(`Not granted: ${String(grants[index])}`);
      const used = { used: answer.first, keep: 0, done: 0 };
      const done = encodeOperation({ kind: 'release', id: operation.id, ...used }, memory);
      giving.evalsha(release, 1, key(index), ...common, ...done);
    });
    const releases = (await giving.exec()) ?? [];
    releases.forEach(([error, reply], index) => {
      const id = operations[index]?.id ?? '';
      const answer = decodeAnswer(
        { kind: 'release', id, used: 0, keep: 0, done: 0 },
        (reply as unknown[])[0],
      );
      if (error || answer.outcome !== 'released') throw new Error(`Not released: ${String(reply)}`);
    });
  };
}
