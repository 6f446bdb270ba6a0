import { setTimeout as sleep } from 'node:timers/promises';
import { WallClock } from '../harness/wall-clock.js';
import { monotonic } from '../harness/history.js';
import type { Row } from '../row.js';

const HOUR = 3_600_000;
/** More than any ttl here: by such a clock every lease is over. */
const AHEAD = 11_000;

/** Rows in which wall clocks jump: the processes read a clock that the runner moves. */
export const clockRows: Row[] = [
  {
    number: 16,
    fault: 'the wall clock of the server jumps',
    async run(bed) {
      const clock = new WallClock();
      bed.atEnd(() => clock.close());
      const server = await bed.server([], clock.env);
      const counters = await bed.counters();
      const [a, b, c] = await bed.several({ a: server.url, b: server.url, c: server.url });
      const shifted = await serverShift(() => server.call('TIME'), clock);
      bed.claim(`the clock moves (${shifted.toFixed(0)} ms)`, Math.abs(shifted - 5_000) < 1_000);

      // Jumps of 300 ms to and fro, less than the guard of 500 ms.
      const churn = {
        names: ['jumpy'],
        ttl: 2_000,
        wait: 10_000,
        hold: [0, 150],
        rest: [0, 10],
        callers: 2,
      } as const;
      const seeds = [1, 2].map(() => bed.random.whole(0, 1e9));
      const work = [a!, b!].map((worker, index) =>
        worker.call('churn', { ...churn, counts: true, seed: seeds[index] ?? 0 }),
      );
      for (let jump = 0; jump < 12; jump += 1) {
        bed.fault('jump below the guard');
        clock.shift(jump % 2 ? 0 : bed.random.between(-300, 300));
        await sleep(bed.random.between(100, 500));
      }
      await Promise.all([a!, b!].map((worker) => worker.call('stopChurn')));
      await Promise.all(work);
      bed.add({ type: 'counter', name: 'jumpy', value: await counters.read('jumpy') });
      counters.close();

      // Back by ten seconds between two holders: the fence still grows.
      clock.shift(0);
      for (const step of [0, -10_000, -20_000]) {
        bed.fault('step back');
        clock.shift(step);
        await c!.call('give', (await c!.call('take', 'backwards', { ttl: 2_000 })).id);
      }

      // Back by an hour while the holder is dead.
      const ttl = 800;
      const dead = await bed.worker('dead', server.url);
      await dead.call('take', 'stepped', { ttl });
      const waits = c!.call('take', 'stepped', { ttl, wait: 20_000 });
      await sleep(100);
      await dead.kill();
      bed.fault('step back by an hour');
      clock.shift(-20_000 - HOUR);
      const stepped = monotonic();
      bed.expectGrant('the name of a dead holder is free', 'stepped', 2 * (ttl + ttl / 4) + 100);
      const granted = await waits;
      bed.figures['dead holder, clock an hour back'] =
        `${(monotonic() - stepped).toFixed(0)} ms (ttl ${ttl} ms)`;
      await c!.call('give', granted.id);

      // Forward by an hour under a holder: the lease promise needs better clocks; fences still grow.
      const holder = await a!.call('take', 'forward', { ttl });
      bed.fault('step forward by an hour');
      clock.shift(0);
      bed.stateLost(ttl);
      const next = await b!.call('take', 'forward', { ttl });
      bed.claim('the fence grows over a step forward', (next.fence ?? 0) > (holder.fence ?? 0));
      await sleep(ttl / 2);
      bed.claim('the old holder knows', (await a!.call('lateness', holder.id)) !== undefined);
      await b!.call('give', next.id);
      await a!.call('give', holder.id);
    },
  },
  {
    number: 17,
    fault: 'the wall clock of the client jumps (as after a suspend)',
    async run(bed) {
      const clock = new WallClock();
      bed.atEnd(() => clock.close());
      const server = await bed.server();
      const a = await bed.worker('a', server.url, {}, clock.env);
      const b = await bed.worker('b', server.url);
      const ttl = 1_500;
      const held = await a.call('take', 'suspended', { ttl });
      bed.fault('client back by an hour');
      clock.shift(-HOUR);
      await sleep(2 * ttl);
      bed.claim('backwards has no effect', await a.call('held', held.id));
      bed.fault('client forward by an hour');
      clock.shift(0);
      await sleep(20);
      bed.claim('forwards the lease is lost at once', !(await a.call('held', held.id)));
      const next = b.call('take', 'suspended', { ttl, wait: 5_000 });
      await a.call('give', held.id);
      await b.call('give', (await next).id);
      await a.call('give', (await a.call('take', 'suspended', { ttl })).id);
    },
  },
  {
    number: 25,
    fault: 'the clock of one client of a semaphore is 11 s ahead',
    async run(bed) {
      const clock = new WallClock();
      bed.atEnd(() => clock.close());
      clock.shift(AHEAD);
      const server = await bed.server();
      const [a, b] = await bed.several({ a: server.url, b: server.url });
      const ahead = await bed.worker('ahead', server.url, {}, clock.env);
      const by = (await ahead.call('wallClock')) - (await a!.call('wallClock'));
      bed.claim(`its clock is ahead (${by} ms)`, Math.abs(by - AHEAD) < 1_000);
      bed.fault('client 11 s ahead');
      const share = { kind: 'permits', units: 1, capacity: 3 } as const;
      const ttl = 1_500;
      bed.add({ type: 'rule', name: 'permits', capacity: 3 });

      // All permits are taken, and renewed: its clock ends none of them.
      const take = { ttl, wait: 300, share };
      const all = [a!, b!, b!].map((worker) => worker.call('take', 'permits', take));
      const held = await Promise.all(all);
      const { refused } = await ahead.call('take', 'permits', { ...take, wait: 2 * ttl });
      // As busy; or as unknown, when a question of its last moments had no answer yet.
      bed.claim(`the fourth is refused (${refused?.code})`, refused !== undefined);
      for (const [index, { id }] of held.entries()) await (index ? b! : a!).call('give', id);

      // All three at once, more than there are permits.
      const times = { wait: 10_000, hold: [0, 60], rest: [0, 5], longest: ttl } as const;
      const churn = { names: ['permits'], ttl, ...times, callers: 2, counts: false, share };
      const work = [a!, b!, ahead].map((worker) =>
        worker.call('churn', { ...churn, seed: bed.random.whole(0, 1e9) }),
      );
      await sleep(3_000);
      await Promise.all([a!, b!, ahead].map((worker) => worker.call('stopChurn')));
      const granted = (await Promise.all(work)).map((churned) => churned.granted);
      bed.figures['granted, the last one ahead'] = granted.join(' ');
      bed.claim('all of them were granted', Math.min(...granted) > 0);

      // Its own permit is as good as any other, and free in time when it dies.
      const own = await ahead.call('take', 'permits', take);
      await sleep(2 * ttl);
      bed.claim('its permit is renewed', await ahead.call('held', own.id));
      const waits = a!.call('take', 'permits', {
        ...take,
        wait: 10_000,
        share: { ...share, units: 3 },
      });
      await sleep(50);
      bed.expectGrant('all permits after it died', 'permits', ttl + ttl / 4 + 100);
      const died = monotonic();
      await ahead.kill();
      const { id } = await waits;
      bed.figures['all permits after its death'] = `${(monotonic() - died).toFixed(0)} ms (ttl ${ttl} ms)`;
      await a!.call('give', id);
    },
  },
];

/** By how much the server's clock follows when it is moved by five seconds. */
async function serverShift(time: () => Promise<unknown>, clock: WallClock): Promise<number> {
  const read = async () => Number(((await time()) as [string])[0]) * 1_000;
  const before = await read();
  clock.shift(5_000);
  const after = await read();
  clock.shift(0);
  return after - before;
}
