import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import { Child } from '../support/child.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// The long form is ONCE_PER_FIRE=60; this many are enough to see each of its events.
const FIRES = Number(process.env['ONCE_PER_FIRE'] ?? 2);
const PERIOD = 2_000;
// The replicas' clocks are so far apart.
const SKEW = 4_000;
const PATIENCE = 60_000 + FIRES * PERIOD;

/** What the processes said: for each fire how often it was started, and how often it ended. */
function runsOf(children: readonly Child[]): Map<string, { start: number; end: number }> {
  const runs = new Map<string, { start: number; end: number }>();
  for (const [, what, fire] of children.flatMap(({ said }) => [...said.matchAll(/^(start|end) (\S+)$/gm)])) {
    const run = runs.get(fire!) ?? { start: 0, end: 0 };
    run[what as 'start' | 'end'] += 1;
    runs.set(fire!, run);
  }
  return runs;
}

/** Every fire from the first to the last that all replicas have come to. */
function complete(fires: readonly string[]): string[] {
  const [first, last] = [Date.parse(fires[0]!), Date.parse(fires.at(-1)!) - SKEW - PERIOD];
  return Array.from({ length: (last - first) / PERIOD + 1 }, (_, index) =>
    new Date(first + index * PERIOD).toISOString(),
  );
}

describeWithRealRedis('a job of three replicas whose clocks differ', () => {
  let redis: RunningRedis;
  let replicas: Child[] = [];
  beforeEach(async () => {
    redis = await startRedis({ emulated: false });
  });
  afterEach(async () => {
    await Promise.all(replicas.map((child) => child.kill()));
    await redis.stop();
  });

  const start = async (mark: 'start' | 'end', ...lengths: [number, number]): Promise<void> => {
    replicas = [0, SKEW / 2, -SKEW / 2].map(
      (skew) =>
        new Child('test/support/scheduled-process.ts', redis.url, String(skew), mark, ...lengths.map(String)),
    );
    await Promise.all(replicas.map((child) => child.says('ready')));
  };
  const fires = (): string[] => [...runsOf(replicas).keys()].sort();
  const seen = (count: number, what: string) => until(what, () => fires().length >= count, PATIENCE);
  /** A replica that is at work now, and the fire that it works at. */
  const working = (asleep?: Child): { child: Child; fire: string } | undefined => {
    for (const child of replicas) {
      if (child === asleep) continue;
      const open = [...runsOf([child])].find(([, { start: begun, end }]) => begun > end);
      if (open) return { child, fire: open[0] };
    }
    return undefined;
  };

  it(
    'starts exactly once per fire, also when one is killed at work and one sleeps through a fire',
    async () => {
      await start('start', 5, 3_000);
      await seen(2, 'two fires');
      const asleep = replicas[1]!;
      asleep.end('SIGSTOP');
      const count = fires().length;
      await seen(count + 1, 'a fire while a replica sleeps');
      // Before the sleeper wakes up: its clock may be ahead of the others', and it would start every fire from then on.
      let killed = working(asleep);
      await until('a replica works that is not asleep', () => (killed = working(asleep)) !== undefined);
      await killed!.child.kill();
      asleep.end('SIGCONT');
      await seen(fires().length + FIRES, 'the fires after that');
      const due = complete(fires());
      const runs = runsOf(replicas);
      expect(due.map((fire) => [fire, runs.get(fire)?.start])).toEqual(due.map((fire) => [fire, 1]));
      expect(runs.get(killed!.fire)?.start).toBe(1);
    },
    PATIENCE,
  );

  it(
    "finishes exactly once per fire with mark: 'end', also the fire of a replica that was killed at work",
    async () => {
      await start('end', 400, 800);
      await seen(2, 'two fires');
      await until('one works', () => working() !== undefined);
      const killed = working()!;
      await killed.child.kill();
      await until('another finishes its fire', () => runsOf(replicas).get(killed.fire)?.end === 1);
      await seen(fires().length + FIRES, 'the fires after that');
      const due = complete(fires());
      const ended = (fire: string) => runsOf(replicas).get(fire)?.end ?? 0;
      await until('all of these have ended', () => due.every((fire) => ended(fire) >= 1));
      expect(due.map((fire) => [fire, ended(fire)])).toEqual(due.map((fire) => [fire, 1]));
    },
    PATIENCE,
  );
});
