import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { monotonic } from '../faults/harness/history.js';
import { type ChaosFixture, type ServerFixture, TTL } from './chaos-fixture.js';

/** Does something to the fixture and repairs it again. */
export type Fault<F = ServerFixture> = (fixture: F) => Promise<unknown>;

const place = ({ bed, workers }: ChaosFixture) => bed.random.whole(0, workers.length - 1);
const proxy = (fixture: ServerFixture) => fixture.proxies[place(fixture)] as ServerFixture['proxies'][number];
const worker = (fixture: ChaosFixture) => fixture.workers[place(fixture)] as ChaosFixture['workers'][number];

/** Words to the server over a connection that does not wait behind others. */
async function tell(fixture: ServerFixture, ...words: [string, ...(string | number)[]]): Promise<void> {
  const client = new Redis(fixture.server.url, {
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
  });
  client.on('error', () => undefined);
  const [command, ...args] = words;
  await client.call(command, ...args).catch(() => undefined);
  client.disconnect();
}

async function during(
  fixture: ChaosFixture,
  least: number,
  most: number,
  begin: () => unknown,
  end: () => unknown,
) {
  await begin();
  await sleep(fixture.bed.random.between(least, most));
  await end();
}

/** What may happen to one worker, while other things happen. */
export const TO_WORKERS: Record<string, Fault<ChaosFixture>> = {
  'kill -9': async (fixture) => {
    const at = place(fixture);
    await fixture.workers[at]?.kill();
    await sleep(fixture.bed.random.between(0, 500));
    await fixture.hire(at);
  },
  SIGSTOP: (fixture) => fixture.bed.pause(worker(fixture), fixture.bed.random.between(100, 2 * TTL)),
  'blocked event loop': async (fixture) => {
    const one = worker(fixture);
    await one.call('measureLag', false);
    await one.call('block', fixture.bed.random.between(50, 1.5 * TTL));
    await one.call('measureLag', true);
  },
  shutdown: async (fixture) => {
    const at = place(fixture);
    const leaving = fixture.workers[at];
    await Promise.race([leaving?.call('close'), sleep(3_000)]);
    await leaving?.kill();
    await fixture.hire(at);
  },
};

/** What may happen to one worker or its network. */
export const SMALL: Record<string, Fault> = {
  ...TO_WORKERS,
  'black hole': (fixture) => {
    const one = proxy(fixture);
    const direction = fixture.bed.random.one(['both', 'up', 'down'] as const);
    return during(
      fixture,
      100,
      2 * TTL,
      () => one.blackHole(direction),
      () => one.pass(),
    );
  },
  'subscriber black-holed': (fixture) => {
    const one = proxy(fixture);
    const last = one.links.length - 1;
    return during(
      fixture,
      500,
      3_000,
      () => one.blackHole('both', (link) => link === last),
      () => one.pass(),
    );
  },
  delay: (fixture) => {
    const one = proxy(fixture);
    const ms = () => fixture.bed.random.between(0, 400);
    return during(
      fixture,
      300,
      2_000,
      () => one.delay({ up: ms(), down: ms() }),
      () => one.pass(),
    );
  },
  'reply lost': async (fixture) => proxy(fixture).dropReply(),
  reset: async (fixture) => proxy(fixture).reset(),
};

/** What may happen to the server, one thing at a time. */
export const LARGE: Record<string, Fault> = {
  freeze: (fixture) =>
    during(
      fixture,
      50,
      1.5 * TTL,
      () => fixture.server.freeze(),
      () => fixture.server.thaw(),
    ),
  'CLIENT PAUSE': (fixture) => tell(fixture, 'CLIENT', 'PAUSE', fixture.bed.random.whole(50, TTL), 'ALL'),
  'DEBUG SLEEP': (fixture) => tell(fixture, 'DEBUG', 'SLEEP', fixture.bed.random.between(0.05, 1)),
  'SCRIPT FLUSH': (fixture) => tell(fixture, 'SCRIPT', 'FLUSH'),
  'CLIENT KILL': (fixture) =>
    tell(fixture, 'CLIENT', 'KILL', 'TYPE', fixture.bed.random.one(['normal', 'pubsub'])),
  'PUBLISH denied': (fixture) =>
    during(
      fixture,
      100,
      1_000,
      () => tell(fixture, 'ACL', 'SETUSER', 'default', '-publish'),
      () => tell(fixture, 'ACL', 'SETUSER', 'default', '+@all'),
    ),
  NOREPLICAS: (fixture) =>
    during(
      fixture,
      100,
      1_000,
      () => tell(fixture, 'CONFIG', 'SET', 'min-replicas-to-write', 1),
      () => tell(fixture, 'CONFIG', 'SET', 'min-replicas-to-write', 0),
    ),
  READONLY: (fixture) =>
    during(
      fixture,
      100,
      1_000,
      () => tell(fixture, 'REPLICAOF', '127.0.0.1', 1),
      () => tell(fixture, 'REPLICAOF', 'NO', 'ONE'),
    ),
};

/** What loses the server's state: rarely, since nobody can be blamed for an overlap right after it. */
export const LOSSES: Record<string, Fault> = {
  restart: async (fixture) => {
    const from = monotonic();
    await fixture.server.kill();
    fixture.bed.stateLost(TTL, from);
    await sleep(fixture.bed.random.between(0, 1_000));
    await fixture.server.boot();
  },
  FLUSHALL: async (fixture) => {
    const from = monotonic();
    await tell(fixture, 'FLUSHALL');
    fixture.bed.stateLost(TTL, from);
  },
};
