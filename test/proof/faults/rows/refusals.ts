import { setTimeout as sleep } from 'node:timers/promises';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultServer } from '../harness/fault-server.js';
import type { Row } from '../row.js';

interface Refusal {
  begin(server: FaultServer): Promise<unknown>;
  end(server: FaultServer): Promise<unknown>;
}

const reconnect = (server: FaultServer) => server.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

/** The server's words, and how it comes to say them. */
const REFUSALS: Record<string, Refusal> = {
  READONLY: {
    begin: (server) => server.call('REPLICAOF', '127.0.0.1', 1),
    end: (server) => server.call('REPLICAOF', 'NO', 'ONE'),
  },
  NOREPLICAS: {
    begin: (server) => server.set('min-replicas-to-write', '1'),
    end: (server) => server.set('min-replicas-to-write', '0'),
  },
  LOADING: {
    begin: async (server) => {
      const fill = "for i = 1, 2000 do redis.call('SET', 'junk-' .. i, i) end";
      await server.call('EVAL', fill, 0);
      await server.set('key-load-delay', '700', 'loading-process-events-interval-bytes', '1024');
      void server.call('DEBUG', 'RELOAD').catch(() => undefined);
      await sleep(50);
    },
    end: (server) => server.call('EVAL', "for i = 1, 2000 do redis.call('DEL', 'junk-' .. i) end", 0),
  },
  NOAUTH: {
    begin: (server) =>
      server
        .set('requirepass', 'secret')
        .then(() => reconnect(server))
        .then(() => sleep(200)),
    end: (server) => server.set('requirepass', ''),
  },
  NOPERM: {
    begin: (server) => server.call('ACL', 'SETUSER', 'default', '-evalsha', '-eval'),
    end: (server) => server.call('ACL', 'SETUSER', 'default', '+@all'),
  },
  MISCONF: {
    begin: async (server) => {
      rmSync(join(server.directory, 'dump.rdb'), { force: true });
      mkdirSync(join(server.directory, 'dump.rdb', 'in-the-way'), { recursive: true });
      await server.set('save', '3600 1');
      await server.call('BGSAVE');
      await sleep(200);
    },
    end: (server) => server.set('stop-writes-on-bgsave-error', 'no'),
  },
};

export const refusalRows: Row[] = [
  {
    number: 13,
    fault: `the server refuses (${Object.keys(REFUSALS).join(', ')})`,
    async run(bed) {
      const server = await bed.server();
      const [a, b] = await bed.several({ a: server.url, b: server.url });
      const ttl = 3_000;
      for (const [word, { begin, end }] of Object.entries(REFUSALS)) {
        const held = await a!.call('take', word, { ttl });
        await b!.call('burst', ['warm'], {});
        await sleep(300);
        bed.fault(word);
        server.measurePing(false);
        await begin(server);
        const refused = await b!.call('take', `${word}-other`, { ttl, wait: 900 });
        const { code, message } = refused.refused ?? {};
        bed.claim(
          `${word}: a typed error with the server's word (${code}: ${message})`,
          code === 'LOCK_STORE' && message?.includes(word) === true,
        );
        bed.within(`${word}: it comes by the wait`, refused.waited, 950);
        if (word !== 'LOADING') await sleep(400);
        await end(server); // LOADING answers when it is done
        await sleep(600);
        bed.claim(`${word}: renewals went on`, await a!.call('held', held.id));
        await sleep(ttl / 2);
        bed.claim(`${word}: and succeeded`, await a!.call('held', held.id));
        bed.claim(`${word}: it is released`, (await a!.call('give', held.id)) === 'released');
        server.measurePing(true);
      }
    },
  },
];
