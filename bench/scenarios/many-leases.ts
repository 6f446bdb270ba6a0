import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import type { Crowding, Keeping } from '../workers/leases.js';
import type { Scenario } from './scenario.js';

const PROCESS = join(import.meta.dirname, '../workers/leases-process.js');
const CALLERS = 10_000;

/** One process holds a hundred thousand leases and renews them; fewer, and for a shorter time, when it is quick. */
export const manyLeases: Scenario = {
  id: 'many-leases',
  async run(fixture) {
    const [count, seconds] = fixture.quick ? [10_000, 5] : [100_000, 60];
    const { keeping, serverCpu } = await kept(fixture, count, seconds);
    const { waiting, acquiring, idle } = await crowded(fixture);
    // Shares of one core, as they would be of a hundred thousand leases.
    const share = (cpu: number) => (cpu / keeping.seconds) * 100 * (100_000 / count);
    const { lost, bytesPerLease, acquiredPerSecond } = keeping;
    const sample = {
      lost,
      client: share(keeping.cpu),
      server: share(serverCpu),
      bytes: bytesPerLease,
      acquired: acquiredPerSecond,
      waiting,
      acquiring,
      idle: idle / 1_024,
    };
    const label = 'nestjs-distributed-lock';
    const columns = [
      { id: 'lost', title: 'lost', better: 'less' },
      { id: 'client', title: 'client CPU, % of a core', better: 'less' },
      { id: 'server', title: 'server CPU, % of a core', better: 'less' },
      { id: 'bytes', title: 'heap per lease, bytes', better: 'less' },
      { id: 'acquired', title: 'acquired/s', better: 'more' },
      { id: 'waiting', title: 'heap per waiting caller, bytes: using', better: 'less' },
      { id: 'acquiring', title: 'acquire', better: 'less' },
      { id: 'idle', title: `heap that ${CALLERS} used names leave, KiB`, better: 'less' },
    ] as const;
    const title = `${count} leases held and renewed by one process for ${seconds} s, ttl 10 s`;
    const note = fixture.quick ? 'Shares of a core are scaled to 100 000 leases.' : '';
    const rows = [{ id: 'own', label, role: 'ours' as const, samples: [sample] }];
    return [{ id: 'many-leases', title, section: 'none', columns, rows, note }];
  },
};

/** What callers who wait and names that nobody uses take, in a process of their own. */
async function crowded({ url }: BenchFixture): Promise<Crowding> {
  const child = fork(PROCESS, [url, String(CALLERS)], { execArgv: ['--expose-gc'] });
  const exited = once(child, 'exit');
  const [crowding] = (await Promise.race([once(child, 'message'), exited])) as [Crowding];
  await exited;
  return crowding;
}

async function kept(
  fixture: BenchFixture,
  count: number,
  seconds: number,
): Promise<{ keeping: Keeping; serverCpu: number }> {
  const args = [fixture.url, String(count), String(seconds * 1_000)];
  const child = fork(PROCESS, args, { execArgv: ['--expose-gc'] });
  const exited = once(child, 'exit');
  const [started] = (await Promise.race([once(child, 'message'), exited])) as [unknown];
  if (started !== 'started') throw new Error('The process that holds the leases ended early.');
  const before = await fixture.serverCpu();
  const ended = once(child, 'message') as Promise<[Keeping]>;
  // The server is asked when the client's own time is over, before it gives its leases back.
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const serverCpu = (await fixture.serverCpu()) - before;
  const [keeping] = await ended;
  await exited;
  return { keeping, serverCpu };
}
