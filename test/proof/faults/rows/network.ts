import { setTimeout as sleep } from 'node:timers/promises';
import { monotonic } from '../harness/history.js';
import type { Row } from '../row.js';

/** Rows in which things are done to connections. */
export const networkRows: Row[] = [
  {
    number: 5,
    fault: 'a reply is lost and the connection reset',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const a = await bed.worker('a', proxy.url);
      let [released, slowest] = [0, 0];
      for (let round = 0; round < 40; round += 1) {
        const name = `lost-${round}`;
        bed.fault('reply lost');
        proxy.dropReply();
        const take = await a.call('take', name, { wait: 5_000 });
        slowest = Math.max(slowest, take.waited);
        bed.claim(`round ${round}: the retry is granted (${take.refused?.message})`, !take.refused);
        if (take.refused) continue;
        bed.claim(`round ${round}: one holder`, (await server.state(name)).holders.length === 1);
        bed.fault('reply lost');
        proxy.dropReply();
        if ((await a.call('give', take.id)) === 'released') released += 1;
        await bed.free(server, 200);
      }
      bed.claim(`every release is answered as such (${released} of 40)`, released === 40);
      bed.figures['slowest acquire'] = `${slowest.toFixed(0)} ms`;
      bed.claim('it does not take longer than some retries', slowest < 1_500);
    },
  },
  {
    number: 6,
    fault: 'the connection is black-holed, TCP stays up',
    async run(bed) {
      const server = await bed.server();
      const [there, back] = [await bed.proxy(server), await bed.proxy(server)];
      const [a, b, c] = await bed.several({ a: there.url, b: server.url, c: back.url });
      const ttl = 1_000;
      let worst = 0;
      for (let round = 0; round < 8; round += 1) {
        const name = `hole-${round}`;
        const [holder, proxy] = round % 2 ? [c!, back] : [a!, there];
        const held = await holder.call('take', name, { ttl });
        await sleep(bed.random.between(0, 500));
        const waits = b!.call('take', name, { ttl, wait: 5_000 });
        bed.fault('black hole');
        proxy.blackHole(round % 4 < 2 ? 'both' : bed.random.one(['up', 'down'] as const));
        const granted = await waits;
        const late = await holder.call('lateness', held.id);
        bed.claim(`round ${round}: the holder was told before the next grant`, late !== undefined);
        bed.within('the signal comes at the deadline', late ?? 0, 10);
        worst = Math.max(worst, late ?? 0);
        proxy.pass();
        await b!.call('give', granted.id);
        await holder.call('give', held.id);
        await sleep(100);
      }
      bed.figures['latest signal after the deadline'] = `${worst.toFixed(1)} ms`;
    },
  },
  {
    number: 7,
    fault: 'the reply comes later than the lease',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const a = await bed.worker('a', proxy.url);
      await a.call('burst', ['warm'], {});
      const tries: Record<string, number> = {};
      for (let round = 0; round < 10; round += 1) {
        bed.fault('late reply');
        proxy.delay({ down: 350 });
        const names = Array.from({ length: 100 }, (_, index) => `late-${round}-${index}`);
        const outcomes = await a.call('burst', names, { ttl: 300, wait: 0, renew: false });
        for (const [word, times] of Object.entries(outcomes)) tries[word] = (tries[word] ?? 0) + times;
        proxy.pass();
        await bed.free(server, 500);
      }
      bed.claim('not reported as held', tries['granted'] === undefined);
      bed.figures['tries'] = Object.values(tries).reduce((sum, times) => sum + times, 0);
    },
  },
  {
    number: 15,
    fault: 'the subscriber connection is lost, black-holed or refused',
    async run(bed) {
      const server = await bed.server();
      const proxy = await bed.proxy(server);
      const [a, b, c] = await bed.several({ a: server.url, b: proxy.url, c: server.url });
      const ttl = 4_000;
      const faults: Record<string, [number, () => Promise<unknown>]> = {
        'CLIENT KILL pubsub': [300, () => server.call('CLIENT', 'KILL', 'TYPE', 'pubsub')],
        'subscriber black-holed': [
          2_600,
          async () => proxy.blackHole('both', (link) => link === subscriber()),
        ],
        'SUBSCRIBE denied': [1_050, () => denied('-subscribe')],
        'PUBLISH denied': [300, () => denied('-publish')],
      };
      const subscriber = () => proxy.links.length - 1;
      const denied = async (word: string) => {
        await server.call('ACL', 'SETUSER', 'default', word);
        await server.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      };
      for (const [kind, [bound, inject]] of Object.entries(faults)) {
        const name = kind.replaceAll(' ', '-');
        const held = await a!.call('take', name, { ttl });
        const first = b!.call('take', name, { ttl, wait: 20_000 });
        await sleep(300);
        const second = c!.call('take', name, { ttl, wait: 20_000 });
        await sleep(300);
        bed.fault(kind);
        await inject();
        await sleep(bed.random.between(0, 60));
        bed.expectGrant(`${kind}: the head goes on`, name, bound);
        const freed = monotonic();
        await a!.call('give', held.id);
        const next = await Promise.race([first, second]);
        bed.figures[kind] = `${(monotonic() - freed).toFixed(0)} ms`;
        const winner = next.id.startsWith('b') ? b! : c!;
        await winner.call('give', next.id);
        const last = await (winner === b ? second : first);
        await (winner === b ? c! : b!).call('give', last.id);
        proxy.pass();
        await server.call('ACL', 'SETUSER', 'default', '+@all');
        await sleep(100);
      }
      // A process that starts without the right to publish says so once, and waits by asking.
      await denied('-publish');
      const mute = await bed.worker('mute', server.url);
      await mute.call('ready');
      for (let round = 0; round < 3; round += 1) {
        const held = await mute.call('take', 'asking', { ttl });
        const waits = a!.call('take', 'asking', { ttl });
        await sleep(50);
        await mute.call('give', held.id);
        await a!.call('give', (await waits).id);
      }
      const { warnings } = await mute.call('close');
      await server.call('ACL', 'SETUSER', 'default', '+@all');
      bed.figures['warnings of a process that may not publish'] = warnings.length;
      bed.claim(
        `one warning that PUBLISH is denied: ${warnings.join(' / ')}`,
        warnings.length === 1 && warnings[0]?.includes('PUBLISH') === true,
      );
      const others = await Promise.all([a!, b!, c!].map((worker) => worker.call('close')));
      const told = others.flatMap((one) => one.warnings);
      bed.claim(`no warning of what heals by itself: ${told.join(' / ')}`, told.length === 0);
    },
  },
];
