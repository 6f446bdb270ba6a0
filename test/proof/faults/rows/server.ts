import { setTimeout as sleep } from 'node:timers/promises';
import type { Bed } from '../harness/bed.js';
import { monotonic } from '../harness/history.js';
import type { Row } from '../row.js';

/** Rows in which things are done to the server as a whole. */
export const serverRows: Row[] = [
  {
    number: 1,
    fault: 'the server is killed and starts again, empty',
    async run(bed) {
      const server = await bed.server();
      const [a, b] = await bed.several({ a: server.url, b: server.url });
      const ttl = 2_000;
      for (let round = 0; round < 3; round += 1) {
        const name = `restart-${round}`;
        const held = await a!.call('take', name, { ttl });
        const waits = b!.call('take', name, { ttl, wait: 20_000 });
        await sleep(150);
        bed.fault('restart');
        const restart = monotonic();
        await server.kill();
        bed.stateLost(ttl);
        await server.boot();
        bed.expectGrant('the waiter goes on after the reconnect', name, 1_500);
        const granted = await waits;
        bed.within('the old holder learns', await learned(() => a!.call('lateness', held.id), restart), ttl);
        await a!.call('give', held.id);
        await b!.call('give', granted.id);
      }
    },
  },
  {
    number: 3,
    fault: 'the server is frozen (SIGSTOP) for half a ttl, two ttl, and 7 s',
    async run(bed) {
      const server = await bed.server();
      const [a, b, c] = await bed.several({ a: server.url, b: server.url, c: server.url });
      const ttl = 2_000;
      for (const [round, frozen] of [1_000, 4_000, 7_000].entries()) {
        const held = await a!.call('take', `frozen-${round}`, { ttl });
        const queued = c!.call('take', `frozen-${round}`, { ttl, wait: 900 });
        await sleep(100);
        bed.fault('freeze');
        server.freeze();
        const thaw = sleep(frozen).then(() => server.thaw());
        const [timedOut, aborted] = await Promise.all([
          b!.call('take', `frozen-free-${round}`, { ttl, wait: 1_000 }),
          c!.call('take', `frozen-other-${round}`, { ttl, wait: 10_000, abortAfter: 300 }),
        ]);
        await thaw;
        const late = await a!.call('lateness', held.id);
        if (frozen > ttl) {
          bed.within('an acquire ends by its wait', timedOut.waited, 1_050);
          bed.within('an aborted acquire ends at once', aborted.waited, 310);
          bed.claim('both were refused', Boolean(timedOut.refused && aborted.refused));
          bed.claim('the holder was told', late !== undefined);
          bed.within('the signal comes at the deadline', late ?? 0, 10);
          Object.assign(bed.figures, {
            'wait 1 s ends after': `${timedOut.waited.toFixed(0)} ms`,
            'abort after 300 ms ends after': `${aborted.waited.toFixed(0)} ms`,
            'signal after the deadline': `${(late ?? 0).toFixed(1)} ms`,
          });
        } else bed.claim('half a ttl is survived', late === undefined);
        for (const take of [timedOut, aborted])
          if (!take.refused) await (take === timedOut ? b! : c!).call('give', take.id);
        await a!.call('give', held.id);
        const last = await queued;
        if (!last.refused) await c!.call('give', last.id);
        await bed.free(server, 1_000);
      }
    },
  },
  {
    number: 4,
    fault: 'the server answers nobody (CLIENT PAUSE, a busy script, DEBUG SLEEP)',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const a = await bed.worker('a', proxy.url);
      const ttl = 900;
      const faults: Record<string, () => Promise<unknown>> = {
        'CLIENT PAUSE': () => server.call('CLIENT', 'PAUSE', 1_500, 'ALL'),
        'DEBUG SLEEP': () => server.call('DEBUG', 'SLEEP', 1.5),
        'busy script': () =>
          server.call('EVAL', `local i = 0 while true do i = i + 1 end`, 0).catch(() => undefined),
      };
      for (const [kind, inject] of Object.entries(faults)) {
        const held = await a.call('take', kind, { ttl });
        bed.fault(kind);
        server.measurePing(false);
        await server.call('PING'); // its connection is there: the fault comes before the acquire
        const before = proxy.requests;
        const done = inject();
        if (kind === 'CLIENT PAUSE') await done; // the others answer when they are over
        const refused = await a.call('take', `${kind} other`, { ttl, wait: 500 });
        bed.within(`${kind}: an acquire ends by its wait`, refused.waited, 550);
        bed.claim(`${kind}: it was refused`, refused.refused !== undefined);
        await sleep(900);
        const late = await a.call('lateness', held.id);
        bed.claim(`${kind}: unknown renewals keep the old deadline`, late !== undefined);
        bed.within(`${kind}: the signal comes at the deadline`, late ?? 0, 10);
        const sent = proxy.requests - before;
        bed.figures[`commands during ${kind}`] = sent;
        bed.claim(`${kind}: no hot loop (${sent} commands)`, sent < 60);
        if (kind === 'busy script') await killScript(server.url);
        await done;
        await sleep(100);
        await a.call('give', held.id);
        server.measurePing(true);
        await bed.free(server, 1_000);
      }
    },
  },
  {
    number: 10,
    fault: 'the script cache is emptied again and again',
    async run(bed) {
      const server = await bed.server();
      const counters = await bed.counters();
      const workers = await bed.several({ a: server.url, b: server.url, c: server.url });
      const names = ['flushed-1', 'flushed-2'];
      const churn = {
        names,
        ttl: 2_000,
        wait: 10_000,
        hold: [0, 2],
        rest: [0, 2],
        callers: 3,
        counts: true,
      } as const;
      const work = workers.map((worker) =>
        worker.call('churn', { ...churn, seed: bed.random.whole(0, 1e9) }),
      );
      for (let times = 0; times < 100; times += 1) {
        bed.fault('SCRIPT FLUSH');
        await server.call('SCRIPT', 'FLUSH');
        await sleep(20);
      }
      await Promise.all(workers.map((worker) => worker.call('stopChurn')));
      const refused = (await Promise.all(work)).reduce((sum, one) => sum + one.refused, 0);
      bed.claim(`nobody notices (${refused} refusals)`, refused <= workers.length * 3); // those that were stopped while waiting
      for (const name of names) bed.add({ type: 'counter', name, value: await counters.read(name) });
      counters.close();
    },
  },
  {
    number: 11,
    fault: 'the key is lost (FLUSHALL, DEL, eviction)',
    async run(bed) {
      const server = await bed.server();
      const [a, b] = await bed.several({ a: server.url, b: server.url });
      const ttl = 1_500;
      const losses: Record<string, () => Promise<unknown>> = {
        FLUSHALL: () => server.call('FLUSHALL'),
        DEL: () => server.call('DEL', 'lock:DEL'),
        eviction: () => evictAll(bed, server),
      };
      for (const [kind, lose] of Object.entries(losses)) {
        const held = await a!.call('take', kind, { ttl });
        bed.fault(kind);
        await lose();
        const lost = monotonic();
        bed.stateLost(ttl);
        bed.expectGrant('somebody else is granted at once', kind, 100);
        const next = await b!.call('take', kind, { ttl });
        bed.within(
          `${kind}: the holder learns`,
          await learned(() => a!.call('lateness', held.id), lost),
          ttl / 3 + 50,
        );
        bed.claim(`${kind}: the fence is larger`, (next.fence ?? 0) > (held.fence ?? 0));
        bed.claim(`${kind}: the release says so`, (await a!.call('give', held.id)) === 'expired');
        await b!.call('give', next.id);
      }
      await server.set('maxmemory-policy', 'allkeys-lru');
      const warned = await (await bed.worker('warned', server.url)).call('ready');
      const [told = ''] = warned;
      bed.claim(
        `one warning at the start that locks may be evicted: ${warned.join(' / ')}`,
        warned.length === 1 && /may evict locks .*allkeys-lru.*noeviction/.test(told),
      );
      await server.set('maxmemory-policy', 'noeviction');
      const calm = await (await bed.worker('calm', server.url)).call('ready');
      bed.claim(`none when they may not: ${calm.join(' / ')}`, calm.length === 0);
      bed.figures['warnings at the start'] = `${warned.length} when they may be evicted, else ${calm.length}`;
    },
  },
  {
    number: 12,
    fault: 'maxmemory is reached (noeviction)',
    async run(bed) {
      const server = await bed.server();
      const [a, b, c] = await bed.several({ a: server.url, b: server.url, c: server.url });
      for (let round = 0; round < 5; round += 1) {
        const name = `full-${round}`;
        const held = await a!.call('take', name, { ttl: 3_000 });
        const waits = b!.call('take', name, { ttl: 3_000 });
        await sleep(100);
        bed.fault('maxmemory');
        await server.set('maxmemory', '1mb');
        const refused = await c!.call('take', `${name}-new`, { wait: 500 });
        bed.claim(
          `a clear error: ${refused.refused?.message}`,
          refused.refused?.message.includes('OOM') === true,
        );
        bed.claim('nothing is written', (await server.call('EXISTS', `lock:${name}-new`)) === 0);
        bed.expectGrant('the hand-off succeeds', name, 50);
        bed.claim('the release succeeds', (await a!.call('give', held.id)) === 'released');
        const granted = await waits;
        await sleep(1_200); // past a renewal
        bed.figures['renewal when full'] =
          (await b!.call('lateness', granted.id)) === undefined ? 'goes on' : 'lost';
        await server.set('maxmemory', '0');
        await b!.call('give', granted.id);
      }
    },
  },
];

async function learned(lateness: () => Promise<number | undefined>, since: number): Promise<number> {
  while ((await lateness()) === undefined && monotonic() - since < 10_000) await sleep(5);
  return monotonic() - since;
}

async function killScript(url: string): Promise<void> {
  const { Redis } = await import('ioredis');
  // The control connection waits for the script: another one ends it.
  const client = new Redis(url, { enableReadyCheck: false });
  await client.call('SCRIPT', 'KILL').catch(() => undefined);
  client.disconnect();
}

async function evictAll(bed: Bed, server: Awaited<ReturnType<Bed['server']>>): Promise<void> {
  await server.set('maxmemory-policy', 'allkeys-random');
  await server.set('maxmemory', '1mb');
  for (let tries = 0; (await server.call('EXISTS', 'lock:eviction')) === 1 && tries < 1_000; tries += 1)
    await server.call('SET', `junk-${tries}`, 'x').catch(() => undefined);
  await server.set('maxmemory', '0');
  await server.set('maxmemory-policy', 'noeviction');
  bed.claim('the key was evicted', (await server.call('EXISTS', 'lock:eviction')) === 0);
}
