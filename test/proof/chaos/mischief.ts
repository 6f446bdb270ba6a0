import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { monotonic } from '../faults/harness/history.js';
import { type Field, type ServerField, TTL } from './field.js';

/** Does something to the field and repairs it again. */
export type Mischief<F = ServerField> = (field: F) => Promise<unknown>;

const place = ({ bed, workers }: Field) => bed.random.whole(0, workers.length - 1);
const proxy = (field: ServerField) => field.proxies[place(field)] as ServerField['proxies'][number];
const worker = (field: Field) => field.workers[place(field)] as Field['workers'][number];

/** Words to the server over a connection that does not wait behind others. */
async function tell(field: ServerField, ...words: [string, ...(string | number)[]]): Promise<void> {
  const client = new Redis(field.server.url, {
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
  });
  client.on('error', () => undefined);
  const [command, ...args] = words;
  await client.call(command, ...args).catch(() => undefined);
  client.disconnect();
}

async function during(field: Field, least: number, most: number, begin: () => unknown, end: () => unknown) {
  await begin();
  await sleep(field.bed.random.between(least, most));
  await end();
}

/** What may happen to one worker, while other things happen. */
export const TO_WORKERS: Record<string, Mischief<Field>> = {
  'kill -9': async (field) => {
    const at = place(field);
    await field.workers[at]?.kill();
    await sleep(field.bed.random.between(0, 500));
    await field.hire(at);
  },
  SIGSTOP: (field) => field.bed.pause(worker(field), field.bed.random.between(100, 2 * TTL)),
  'blocked event loop': async (field) => {
    const one = worker(field);
    await one.call('measureLag', false);
    await one.call('block', field.bed.random.between(50, 1.5 * TTL));
    await one.call('measureLag', true);
  },
  shutdown: async (field) => {
    const at = place(field);
    const leaving = field.workers[at];
    await Promise.race([leaving?.call('close'), sleep(3_000)]);
    await leaving?.kill();
    await field.hire(at);
  },
};

/** What may happen to one worker or its network. */
export const SMALL: Record<string, Mischief> = {
  ...TO_WORKERS,
  'black hole': (field) => {
    const one = proxy(field);
    const direction = field.bed.random.one(['both', 'up', 'down'] as const);
    return during(
      field,
      100,
      2 * TTL,
      () => one.blackHole(direction),
      () => one.pass(),
    );
  },
  'subscriber black-holed': (field) => {
    const one = proxy(field);
    const last = one.links.length - 1;
    return during(
      field,
      500,
      3_000,
      () => one.blackHole('both', (link) => link === last),
      () => one.pass(),
    );
  },
  delay: (field) => {
    const one = proxy(field);
    const ms = () => field.bed.random.between(0, 400);
    return during(
      field,
      300,
      2_000,
      () => one.delay({ up: ms(), down: ms() }),
      () => one.pass(),
    );
  },
  'reply lost': async (field) => proxy(field).dropReply(),
  reset: async (field) => proxy(field).reset(),
};

/** What may happen to the server, one thing at a time. */
export const LARGE: Record<string, Mischief> = {
  freeze: (field) =>
    during(
      field,
      50,
      1.5 * TTL,
      () => field.server.freeze(),
      () => field.server.thaw(),
    ),
  'CLIENT PAUSE': (field) => tell(field, 'CLIENT', 'PAUSE', field.bed.random.whole(50, TTL), 'ALL'),
  'DEBUG SLEEP': (field) => tell(field, 'DEBUG', 'SLEEP', field.bed.random.between(0.05, 1)),
  'SCRIPT FLUSH': (field) => tell(field, 'SCRIPT', 'FLUSH'),
  'CLIENT KILL': (field) => tell(field, 'CLIENT', 'KILL', 'TYPE', field.bed.random.one(['normal', 'pubsub'])),
  'PUBLISH denied': (field) =>
    during(
      field,
      100,
      1_000,
      () => tell(field, 'ACL', 'SETUSER', 'default', '-publish'),
      () => tell(field, 'ACL', 'SETUSER', 'default', '+@all'),
    ),
  NOREPLICAS: (field) =>
    during(
      field,
      100,
      1_000,
      () => tell(field, 'CONFIG', 'SET', 'min-replicas-to-write', 1),
      () => tell(field, 'CONFIG', 'SET', 'min-replicas-to-write', 0),
    ),
  READONLY: (field) =>
    during(
      field,
      100,
      1_000,
      () => tell(field, 'REPLICAOF', '127.0.0.1', 1),
      () => tell(field, 'REPLICAOF', 'NO', 'ONE'),
    ),
};

/** What loses the server's state: rarely, since nobody can be blamed for an overlap right after it. */
export const LOSSES: Record<string, Mischief> = {
  restart: async (field) => {
    const from = monotonic();
    await field.server.kill();
    field.bed.stateLost(TTL, from);
    await sleep(field.bed.random.between(0, 1_000));
    await field.server.boot();
  },
  FLUSHALL: async (field) => {
    const from = monotonic();
    await tell(field, 'FLUSHALL');
    field.bed.stateLost(TTL, from);
  },
};
