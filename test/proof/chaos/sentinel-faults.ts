import { setTimeout as sleep } from 'node:timers/promises';
import type { SentinelServers } from '../../../tools/redis/sentinel-servers.js';
import type { Fault } from './faults.js';
import type { TopologyFixture } from './topology-fixture.js';

type Fixture = TopologyFixture<SentinelServers>;
type Faults = Record<string, Fault<Fixture>>;

/** What takes the master's place from it; each ends when all servers are what they were, with another master. */
export const SENTINEL_LARGE: Faults = {
  'planned failover': async (fixture) => {
    const { servers } = fixture;
    await fixture.losing(() => servers.plannedFailover());
    await servers.settled();
  },
  'the master is killed': async (fixture) => {
    const { servers } = fixture;
    const master = await servers.master();
    await fixture.losing(async () => {
      await master.kill();
      await servers.switched(master.port);
    });
    await sleep(fixture.bed.random.between(0, 1_000));
    await master.boot();
    await servers.settled();
  },
  'the master is frozen, replaced, and wakes': async (fixture) => {
    const { servers, bed } = fixture;
    const master = await servers.master();
    await fixture.losing(async () => {
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
export const SENTINEL_WORDS: Faults = {
  'SCRIPT FLUSH': (fixture) => fixture.tell(() => fixture.servers.master(), 'SCRIPT', 'FLUSH'),
  'CLIENT KILL': (fixture) =>
    fixture.tell(
      () => fixture.servers.master(),
      'CLIENT',
      'KILL',
      'TYPE',
      fixture.bed.random.one(['normal', 'pubsub']),
    ),
  'CLIENT PAUSE': (fixture) =>
    fixture.tell(() => fixture.servers.master(), 'CLIENT', 'PAUSE', fixture.bed.random.whole(50, 500), 'ALL'),
};
