import { createLockService } from '../../lib/locks/create-lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { Child } from '../support/child.js';
import { ContendedCalls } from '../support/contended-calls.js';
import { pass, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { RoundTrips } from '../support/round-trips.js';

const FOUND = 3_000;
// Ten thousand with npm run test:deadlocks:long.
const ACQUISITIONS = Number(process.env['CONTENDED'] ?? 200);

/** Calls of processes that hold one name each, and then ask for that of the next. */
class Ring {
  constructor(
    private readonly members: readonly Child[],
    private readonly tag: string,
    private readonly options: object,
  ) {}

  /** They wait for each other. Resolves with the local time after the last of them has begun to. */
  async close(): Promise<number> {
    for (const [place, child] of this.members.entries()) {
      child.tell(`${this.tag}${place} hold ${this.tag}-${place}`);
      await child.says(`${this.tag}${place} holding;`);
    }
    for (const [place, child] of this.members.entries()) {
      const next = (place + 1) % this.members.length;
      child.tell(`${this.tag}${place} ask ${this.tag}-${next} ${JSON.stringify(this.options)}`);
      await child.says(`${this.tag}${place} asked;`);
    }
    return performance.now();
  }

  /** The lines that tell of the deadlock. */
  get lines(): readonly string[] {
    const lines = this.members.flatMap(({ said }) => said.split('\n'));
    return [...new Set(lines)].filter(
      (line) => line.includes('log deadlock:') && line.includes(`'${this.tag}-`),
    );
  }

  /** What became of each of them, as far as they have ended. */
  get outcomes(): readonly string[] {
    return this.members.map(
      ({ said }, place) =>
        new RegExp(`^${this.tag}${place} (done|refused [^:]*)`, 'm').exec(said)?.[1] ?? 'waits',
    );
  }

  message(place: number): string {
    return new RegExp(`^${this.tag}${place} refused.*`, 'm').exec(this.members[place]?.said ?? '')?.[0] ?? '';
  }
}

describeWithRealRedis('processes that wait for each other', () => {
  const children: Child[] = [];
  let server: RunningRedis, trips: RoundTrips;
  beforeAll(async () => {
    server = await startRedis({ given: false });
    trips = new RoundTrips(Number(new URL(server.url).port));
    for (let count = 0; count < 3; count += 1)
      children.push(new Child('test/support/deadlock-process.ts', JSON.stringify({ redis: server.url })));
    await Promise.all(children.map((child) => child.says('ready;')));
  }, 60_000);
  afterAll(async () => {
    trips[Symbol.dispose]();
    await Promise.all(children.map((child) => child.kill()));
    await server.stop();
  });

  /** How late this process, the others and the server were, in milliseconds. */
  async function lateness(lag: Lag): Promise<number> {
    let most = 0;
    for (const child of children) {
      child.tell('lag');
      await child.says('lag ');
      most = Math.max(most, Number(/lag (\d+);(?![^]*lag \d)/.exec(child.said)?.[1]));
    }
    return lag.max + most + trips.max;
  }

  it('two and three processes in opposite order: one line of who holds and who waits, and one gives way if it may', async () => {
    using lag = new Lag();
    const warned = [2, 3].map((count) => new Ring(children.slice(0, count), `w${count}`, { wait: '5s' }));
    const failing = [2, 3].map(
      (count) => new Ring(children.slice(0, count), `f${count}`, { wait: '1h', deadlock: 'fail' }),
    );
    const took = await Promise.all(
      [...warned, ...failing].map(async (ring) => {
        const closed = await ring.close();
        await until('it is reported', () => ring.lines.length > 0);
        return performance.now() - closed;
      }),
    );
    const late = await lateness(lag);
    if (process.env['TELL'])
      process.stdout.write(`${took.map(Math.round).join(' ')} lag ${Math.round(late)}\n`);
    for (const each of took) {
      expect(each).toBeGreaterThan(1_900);
      expect(each).toTakeLessThan(FOUND, late);
    }
    for (const ring of failing) {
      await until('all have ended', () => !ring.outcomes.includes('waits'));
      const count = ring.outcomes.length;
      // The one that was granted its lock last.
      expect(ring.outcomes).toEqual([...Array<string>(count - 1).fill('done'), 'refused deadlock']);
      expect(ring.message(count - 1)).toContain('There is a deadlock: ');
    }
    await until(
      'the waits are over',
      () => warned.every(({ outcomes }) => !outcomes.includes('waits')),
      20_000,
    );
    for (const ring of [...warned, ...failing]) {
      expect(ring.lines).toHaveLength(1);
      for (const [place] of ring.outcomes.entries())
        expect(ring.lines[0]).toMatch(new RegExp(`holds '[wf]\\d-${place}'`));
    }
    for (const ring of warned) {
      const refused = ring.outcomes.flatMap((outcome, place) =>
        outcome === 'refused timeout' ? [place] : [],
      );
      expect(refused.length).toBeGreaterThan(0);
      for (const place of refused) expect(ring.message(place)).toContain('There is a deadlock: ');
    }
  }, 60_000);

  it(`none is reported where there is none, in ${ACQUISITIONS} acquisitions that wait`, async () => {
    const told: string[] = [];
    const log = { warn: (line: string) => void (line.startsWith('There is a deadlock') && told.push(line)) };
    const options = { redis: server.url, namespace: 'none', deadlock: 'fail', log } as const;
    const processes = [0, 1, 2].map(() => createLockService(options));
    const now = (): number => performance.now();
    const calls = new ContendedCalls({ processes, now, pause: pass, longest: 40, random: Math.random });
    await calls.until(ACQUISITIONS, 60);
    expect(told).toEqual([]);
    await Promise.all(processes.map((each) => each.close()));
  }, 600_000);
});
