import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '../row.js';

/** Rows in which two things happen at the same moment. */
export const timingRows: Row[] = [
  {
    number: 19,
    fault: 'the key expires exactly at the release',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const [a, b] = await Promise.all([
        bed.worker('a', proxy.url, { guard: 0 }),
        bed.worker('b', server.url, { guard: 0 }),
      ]);
      const outcomes: Record<string, number> = {};
      for (let round = 0; round < 100; round += 1) {
        const name = `edge-${round % 4}`;
        proxy.delay({ up: round % 2 ? bed.random.between(0, 6) : 0 });
        const held = await a.call('take', name, { ttl: 100, renew: false });
        if (held.refused) continue;
        bed.fault('expiry at release');
        const next = b.call('take', name, { ttl: 1_000, wait: 2_000 });
        const outcome = await a.call('giveNearEnd', held.id, bed.random.between(-4, 4));
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        const granted = await next;
        await sleep(bed.random.between(0, 8)); // a foreign release would show now
        const { holders } = await server.state(name);
        bed.claim(`round ${round}: nobody released the successor`, holders.length === 1);
        bed.claim(
          `round ${round}: the successor gives it back itself`,
          (await b.call('give', granted.id)) === 'released',
        );
      }
      Object.assign(bed.figures, outcomes);
      bed.claim('both edges were met', Boolean(outcomes['released'] && outcomes['expired']));
    },
  },
  {
    number: 20,
    fault: 'a renewal is in flight while the lease is released',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const [a, b] = await bed.several({ a: proxy.url, b: server.url });
      for (let round = 0; round < 60; round += 1) {
        const name = `renewing-${round % 3}`;
        const held = await a!.call('take', name, { ttl: 2_000 });
        bed.fault('release during renewal');
        proxy.delay({ up: bed.random.between(0, 10), down: bed.random.between(0, 20) });
        const next = b!.call('take', name, { ttl: 2_000, wait: 5_000 });
        bed.claim('it was released', (await a!.call('renewAndGive', held.id)) === 'released');
        const granted = await next;
        bed.claim('nothing is resurrected', (await server.state(name)).holders.length === 1);
        await b!.call('give', granted.id);
        proxy.pass();
      }
    },
  },
  {
    number: 21,
    fault: 'the wait ends (timeout, abort) as the grant arrives',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const [a, b] = await bed.several({ a: server.url, b: proxy.url });
      const outcomes = { granted: 0, refused: 0 };
      for (let round = 0; round < 120; round += 1) {
        const name = `edge-${round}`;
        const held = await a!.call('take', name, { ttl: 2_000 });
        if (round % 3 === 0) proxy.delay({ up: bed.random.between(0, 4), down: bed.random.between(0, 4) });
        const ends = round % 2 ? { wait: 60 } : { wait: 5_000, abortAfter: 60 };
        const waits = b!.call('take', name, { ttl: 2_000, ...ends });
        bed.fault('grant at the end of the wait');
        await sleep(bed.random.between(52, 68));
        await a!.call('give', held.id);
        const take = await waits;
        outcomes[take.refused ? 'refused' : 'granted'] += 1;
        if (!take.refused) await b!.call('give', take.id);
        proxy.pass();
        await bed.free(server, 200);
      }
      Object.assign(bed.figures, outcomes);
      bed.claim('both edges were met', outcomes.granted > 0 && outcomes.refused > 0);
      // An earlier command hangs: the place is given back within the deadline of a command.
      const held = await a!.call('take', 'hangs', { ttl: 5_000 });
      proxy.delay({ down: 400 });
      const aborted = await b!.call('take', 'hangs', { ttl: 5_000, wait: 5_000, abortAfter: 50 });
      bed.within('an abort is immediate while a command hangs', aborted.waited, 60);
      await a!.call('give', held.id);
      await bed.free(server, 1_000);
    },
  },
  {
    number: 31,
    fault: "a stranger's work runs in the async context of the holder",
    async run(bed) {
      const server = await bed.server();
      const counters = await bed.counters();
      const several = await bed.several({ a: server.url, b: server.url });
      bed.fault('borrowed context');
      const borrowed = await Promise.all(several.map((worker) => worker.call('borrow', 'lent', 500)));
      bed.add({ type: 'counter', name: 'lent', value: await counters.read('lent') });
      Object.assign(bed.figures, {
        sections: 2_000,
        borrowed: borrowed.reduce((sum, each) => sum + each, 0),
      });
      bed.claim('every process ran strangers in the context of a holder', borrowed.every(Boolean));
      counters.close();
    },
  },
];
