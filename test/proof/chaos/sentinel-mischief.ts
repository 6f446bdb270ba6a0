import { setTimeout as sleep } from 'node:timers/promises';
import type { SentinelServers } from '../../../tools/redis/sentinel-servers.js';
import type { Mischief } from './mischief.js';
import type { TopologyField } from './topology-field.js';

type Field = TopologyField<SentinelServers>;
type Tricks = Record<string, Mischief<Field>>;

/** What takes the master's place from it; each ends when all servers are what they were, with another master. */
export const SENTINEL_LARGE: Tricks = {
  'planned failover': async (field) => {
    const { servers } = field;
    await field.losing(() => servers.plannedFailover());
    await servers.settled();
  },
  'the master is killed': async (field) => {
    const { servers } = field;
    const master = await servers.master();
    await field.losing(async () => {
      await master.kill();
      await servers.switched(master.port);
    });
    await sleep(field.bed.random.between(0, 1_000));
    await master.boot();
    await servers.settled();
  },
  'the master is frozen, replaced, and wakes': async (field) => {
    const { servers, bed } = field;
    const master = await servers.master();
    await field.losing(async () => {
      master.signal('SIGSTOP');
      await servers.switched(master.port);
      await sleep(bed.random.between(0, 2_000));
      master.signal('SIGCONT');
    });
    await servers.settled();
  },
  'the master is frozen for a moment': async ({ servers, bed }) => {
    const master = await servers.master();
    master.signal('SIGSTOP');
    await sleep(bed.random.between(50, 600));
    master.signal('SIGCONT');
  },
  'a sentinel is frozen': async ({ servers, bed }) => {
    const sentinel = bed.random.one(servers.sentinels);
    sentinel.signal('SIGSTOP');
    await sleep(bed.random.between(500, 4_000));
    sentinel.signal('SIGCONT');
    await servers.settled();
  },
  'a replica is killed': async ({ servers, bed }) => {
    const master = await servers.master();
    const replica = bed.random.one(servers.servers.filter((each) => each !== master));
    await replica.kill();
    await sleep(bed.random.between(0, 2_000));
    await replica.boot();
    await servers.settled();
  },
};

/** What the master is told, while other things happen. */
export const SENTINEL_WORDS: Tricks = {
  'SCRIPT FLUSH': (field) => field.tell(() => field.servers.master(), 'SCRIPT', 'FLUSH'),
  'CLIENT KILL': (field) =>
    field.tell(
      () => field.servers.master(),
      'CLIENT',
      'KILL',
      'TYPE',
      field.bed.random.one(['normal', 'pubsub']),
    ),
  'CLIENT PAUSE': (field) =>
    field.tell(() => field.servers.master(), 'CLIENT', 'PAUSE', field.bed.random.whole(50, 500), 'ALL'),
};
