import { setTimeout as sleep } from 'node:timers/promises';
import { monotonic } from '../harness/history.js';
import type { Row } from '../row.js';

const guardOf = (ttl: number) => Math.min(500, ttl / 4);

/** Rows in which things are done to holders and waiters. */
export const processRows: Row[] = [
  {
    number: 8,
    fault: 'a waiter dies (kill -9; half-open)',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const [a, last] = await bed.several({ a: server.url, last: server.url });
      const ttl = 1_200;
      for (const kind of ['kill -9', 'half-open'] as const) {
        for (let round = 0; round < 2; round += 1) {
          const name = `${kind.replace(' ', '')}-${round}`;
          const head = await bed.worker(`${name}-head`, kind === 'half-open' ? proxy.url : server.url);
          const held = await a!.call('take', name, { ttl });
          void head.call('take', name, { ttl, wait: 30_000 });
          await sleep(250);
          const waits = last!.call('take', name, { ttl, wait: 30_000 });
          await sleep(100);
          bed.fault(`waiter ${kind}`);
          if (kind === 'half-open') proxy.blackHole();
          await head.kill();
          await sleep(20);
          bed.expectGrant('the next waiter', name, kind === 'kill -9' ? 50 : ttl + guardOf(ttl) + 50);
          const freed = monotonic();
          await a!.call('give', held.id);
          const granted = await waits;
          bed.figures[`next after a ${kind} waiter`] = `${(monotonic() - freed).toFixed(0)} ms`;
          await last!.call('give', granted.id);
          proxy.pass();
        }
      }
    },
  },
  {
    number: 9,
    fault: 'the holder dies (kill -9, process.exit)',
    async run(bed) {
      const server = await bed.server();
      const waiter = await bed.worker('waiter', server.url);
      const ttl = 1_000;
      for (const [round, kind] of ['kill -9', 'process.exit', 'kill -9', 'process.exit'].entries()) {
        const name = `dead-${round}`;
        const holder = await bed.worker(`holder-${round}`, server.url);
        await holder.call('take', name, { ttl });
        const waits = waiter.call('take', name, { ttl, wait: 10_000 });
        await sleep(bed.random.between(100, 600));
        bed.fault(`holder ${kind}`);
        const died = monotonic();
        bed.expectGrant('the next waiter', name, ttl + guardOf(ttl) + 100);
        if (kind === 'kill -9') await holder.kill();
        else await holder.call('exit').catch(() => undefined);
        const granted = await waits;
        const after = `${(monotonic() - died).toFixed(0)} ms`;
        bed.figures[`next after ${kind} (ttl ${ttl} ms)`] = after;
        await waiter.call('give', granted.id);
      }
    },
  },
  {
    number: 32,
    fault: 'a process that keeps a lock which nobody there uses is killed; is stopped',
    async run(bed) {
      const server = await bed.server();
      const waiter = await bed.worker('waiter', server.url);
      const ttl = 1_000;
      for (const [round, kind] of ['kill -9', 'SIGSTOP', 'kill -9', 'SIGSTOP'].entries()) {
        const name = `kept-${round}`;
        const keeper = await bed.worker(`keeper-${round}`, server.url);
        // The second time it is kept: the process hears by then whether others ask.
        for (let use = 0; use < 2; use += 1) {
          const { id } = await keeper.call('take', name, { ttl, linger: ttl });
          await keeper.call('give', id);
          await sleep(100);
        }
        bed.claim('it is kept', (await server.taken()).length === 1);
        await keeper.call('measureLag', false);
        bed.fault(`keeper ${kind}`);
        const died = monotonic();
        if (kind === 'kill -9') await keeper.kill();
        else keeper.signal('SIGSTOP');
        bed.expectGrant('whoever asks next', name, ttl + guardOf(ttl) + 100);
        const granted = await waiter.call('take', name, { ttl, wait: 10_000 });
        bed.figures[`next after ${kind} (ttl ${ttl} ms)`] = `${(monotonic() - died).toFixed(0)} ms`;
        if (kind === 'SIGSTOP') {
          keeper.signal('SIGCONT');
          const own = await keeper.call('take', name, { ttl, wait: 0, linger: ttl });
          bed.claim('who was stopped has no hold to go on with', own.refused?.code === 'LOCK_BUSY:held');
        }
        await waiter.call('give', granted.id);
      }
    },
  },
  {
    number: 18,
    fault: 'the holder is paused beyond its lease (SIGSTOP, blocked event loop)',
    async run(bed) {
      const server = await bed.server();
      const counters = await bed.counters();
      const [a, b] = await bed.several({ a: server.url, b: server.url });
      const ttl = 600;
      for (const kind of ['SIGSTOP', 'blocked', 'SIGSTOP', 'blocked'] as const) {
        const name = `paused-${kind}-${bed.random.whole(0, 1e6)}`;
        const held = await a!.call('take', name, { ttl });
        await a!.call('begin', held.id, name);
        const waits = b!.call('take', name, { ttl, wait: 10_000 });
        await sleep(100);
        await a!.call('measureLag', false);
        bed.fault(kind === 'SIGSTOP' ? 'holder SIGSTOP' : 'event loop blocked');
        const outcome =
          kind === 'blocked'
            ? a!.call('block', 2 * ttl, held.id, name)
            : a!.call('spinUntilStopped', ttl, held.id, name);
        if (kind === 'SIGSTOP') {
          await sleep(50);
          a!.signal('SIGSTOP');
          setTimeout(() => a!.signal('SIGCONT'), 2 * ttl);
        }
        const granted = await waits;
        bed.claim('the fence is shown first', (await b!.call('begin', granted.id, name)) === 0);
        const { threw, written } = await outcome;
        bed.claim(`${kind}: the first assertHeld() after it throws`, threw);
        bed.claim(`${kind}: the resource refuses the stale fence`, !written);
        await a!.call('measureLag', true);
        await b!.call('give', granted.id);
        await a!.call('give', held.id);
        bed.add({ type: 'counter', name, value: await counters.read(name) });
      }
      counters.close();
    },
  },
  {
    number: 22,
    fault: 'the process shuts down with running work and waiters',
    async run(bed) {
      const server = await bed.server();
      for (const givenClient of [false, true]) {
        const closing = await bed.worker(`closing-${givenClient}`, server.url, {
          shutdownGrace: 700,
          givenClient,
        });
        const other = await bed.worker(`other-${givenClient}`, server.url);
        const [kept, given, busy] = [`kept-${givenClient}`, `given-${givenClient}`, `busy-${givenClient}`];
        const [works, ends, elsewhere] = await Promise.all([
          closing.call('take', kept, { ttl: 2_000 }),
          closing.call('take', given, { ttl: 2_000 }),
          other.call('take', busy, { ttl: 2_000 }),
        ]);
        const waiter = closing.call('take', busy, { wait: 10_000 });
        const next = other.call('take', kept, { wait: 10_000 });
        await sleep(100);
        bed.fault('shutdown');
        const began = monotonic();
        const closed = closing.call('close');
        const refused = await waiter;
        bed.within('waiters are sent away', monotonic() - began, 20);
        bed.claim(
          `with reason closed (${refused.refused?.code})`,
          refused.refused?.code === 'LOCK_BUSY:closed',
        );
        bed.claim(
          'no new grants',
          (await closing.call('take', 'new', {})).refused?.code === 'LOCK_BUSY:closed',
        );
        await sleep(200);
        bed.claim(
          'running work releases in its own time',
          (await closing.call('give', ends.id)) === 'released',
        );
        bed.claim('running work keeps its lease', (await closing.call('lateness', works.id)) === undefined);
        const granted = await next;
        const grace = monotonic() - began;
        bed.claim(`the rest is released after the grace (${grace.toFixed(0)} ms)`, grace > 690);
        bed.within('the rest is released at once then', grace, 750);
        bed.figures['released after a grace of 700 ms'] = `${grace.toFixed(0)} ms`;
        await closed;
        await Promise.all([other.call('give', granted.id), other.call('give', elsewhere.id)]);
        bed.claim('nothing keeps the process', await closing.leave());
      }
    },
  },
  {
    number: 24,
    fault: '2 000 waiters on one name, 3 000 leases held by one process (scaled down)',
    async run(bed) {
      const server = await bed.server();
      const workers = await bed.several({ a: server.url, b: server.url, c: server.url, d: server.url });
      const hot = Array.from({ length: 500 }, () => 'hot');
      await Promise.all(workers.map((worker) => worker.call('burst', ['hot'], {})));
      await server.call('CONFIG', 'RESETSTAT');
      bed.fault('2 000 waiters');
      const began = monotonic();
      const outcomes = await Promise.all(
        workers.map((worker) => worker.call('burst', hot, { wait: 30_000 })),
      );
      const granted = outcomes.reduce((sum, one) => sum + (one['granted'] ?? 0), 0);
      const scripts = Number(
        /cmdstat_evalsha:calls=(\d+)/.exec(String(await server.call('INFO', 'commandstats')))?.[1],
      );
      bed.claim(`all are served (${granted})`, granted === 2_000);
      bed.claim(`commands per hand-off are few (${scripts})`, scripts < granted);
      bed.figures['commands per grant'] = (scripts / granted).toFixed(2);
      bed.figures['2 000 grants took'] = `${(monotonic() - began).toFixed(0)} ms`;
      bed.fault('3 000 leases');
      const [a] = workers;
      const leases = await Promise.all(
        Array.from({ length: 3_000 }, (_, index) =>
          a!.call('take', `lease-${index}`, { ttl: 3_000, wait: 20_000 }),
        ),
      );
      await sleep(4_000);
      const lost = await Promise.all(leases.map(({ id }) => a!.call('lateness', id)));
      bed.claim(
        `no lease is lost (${lost.filter((late) => late !== undefined).length})`,
        lost.every((late) => late === undefined),
      );
      await Promise.all(leases.map(({ id }) => a!.call('give', id)));
    },
  },
];
