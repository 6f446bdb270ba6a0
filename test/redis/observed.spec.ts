import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../tools/free-port.js';
import { arenaForTests } from '../support/arena.js';
import { Child } from '../support/child.js';
import { until } from '../support/eventually.js';
import { type Sample, samplesIn, wantedBy } from '../support/prometheus-text.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const PAGES = join(import.meta.dirname, '../../docs/observability');
/** How long a hand-off between processes may take beside what the machine is late. */
const HAND_OFF = 50;
/** How many turns of event loops, each of which may be late, lie between a release in one process and a grant in another. */
const TURNS = 3;

interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly traceId: string;
  readonly parent?: string;
}

/** The queries of the dashboard, by panel, and those of the alerts. */
const QUERIES: [where: string, query: string][] = [
  ...(
    JSON.parse(readFileSync(join(PAGES, 'grafana-dashboard.json'), 'utf8')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    }
  ).panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }): [string, string] => [`panel '${title}'`, expr]),
  ),
  ...[
    ...readFileSync(join(PAGES, 'prometheus-alerts.yml'), 'utf8').matchAll(/alert: (\w+)\s+expr: (.*)/g),
  ].map(([, alert = '', expr = '']): [string, string] => [`alert ${alert}`, expr]),
];

describeWithRealRedis('processes with locks and OpenTelemetry', () => {
  const arena = arenaForTests();
  const processes: Child[] = [];
  afterEach(async () => {
    for (const each of processes) each.tell('close');
    await Promise.all(processes.splice(0).map((each) => each.exited));
  });

  const start = async (): Promise<{ child: Child; scrape: () => Promise<Sample[]> }> => {
    const port = await freePort();
    const child = new Child('test/support/observed-process.ts', arena.server.url, String(port));
    processes.push(child);
    await child.says('ready');
    const scrape = async (): Promise<Sample[]> =>
      samplesIn(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
    return { child, scrape };
  };
  /** The sum of what is scraped under a name, where the labels are these. */
  const total = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number =>
    samples
      .filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0);

  it('a scrape: waits grow under contention, a frozen holder counts as lost, and no panel or alert asks in vain', async () => {
    const { child, scrape } = await start();
    const of = { lock_name: 'stock' };
    child.tell('crowd stock:1 1 1');
    await child.says('crowded');
    const calm = total(await scrape(), 'lock_acquire_duration_sum', of);
    child.tell('crowd stock:1 8 20');
    await until('all waited', async () => total(await scrape(), 'lock_hold_duration_count', of) === 9);
    const crowded = await scrape();
    // Of eight that hold for 20 ms each, the last waits for seven.
    expect(total(crowded, 'lock_acquire_duration_sum', of) - calm).toBeGreaterThan(
      0.02 * (1 + 2 + 3 + 4 + 5),
    );
    expect(total(crowded, 'lock_acquire_duration_bucket', { ...of, le: '0.01' })).toBeLessThan(9);
    expect(total(crowded, 'lock_waiting', of)).toBe(0);

    child.tell('hold stock:2 600 300');
    await child.says('holding');
    await until('it renewed', async () => total(await scrape(), 'lock_renewal_lag_count', of) > 0);
    expect(total(await scrape(), 'lock_held', of)).toBe(1);
    const other = arena.open();
    child.end('SIGSTOP');
    await using lease = await other.acquire('stock:2', { wait: '10s' });
    child.end('SIGCONT');
    await child.says('lost');
    lease.assertHeld();
    const [before, after] = [crowded, await scrape()];
    const lost = { ...of, lock_reason: 'expired' };
    expect([before, after].map((samples) => total(samples, 'lock_lost_total', lost))).toEqual([0, 1]);
    expect(total(after, 'lock_held', of)).toBe(0);

    child.tell('give-up stock:2 500');
    await until('it waits', async () => total(await scrape(), 'lock_waiting', of) === 1);
    await child.says('LOCK_BUSY');
    const all = await scrape();
    const empty = QUERIES.flatMap(([where, query]) => {
      const { selectors, groups } = wantedBy(query);
      const found = selectors.map((matches) => all.filter(matches));
      const labels = new Set(found.flat().flatMap((sample) => Object.keys(sample.labels)));
      const missing = groups.filter((group) => !labels.has(group));
      return selectors.length > 0 && found.every(({ length }) => length > 0) && missing.length === 0
        ? []
        : [`${where}: ${query}`];
    });
    expect(QUERIES.length).toBeGreaterThan(15);
    expect(empty).toEqual([]);
  }, 60_000);

  it('a trace of two that contend for one name: the wait of one ends where the hold of the other does', async () => {
    const [{ child: one }, { child: other }] = await Promise.all([start(), start()]);
    const remote = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };
    one.tell(`hold stock:7 150 5000 ${remote.trace} ${remote.span}`);
    await one.says('holding');
    other.tell(`hold stock:7 1 5000 ${remote.trace} ${remote.span}`);
    await Promise.all([one.says('held'), other.says('held')]);
    const [ones, others] = [await spansOf(one), await spansOf(other)];
    for (const { traceId, parent } of [...ones, ...others])
      expect([traceId, parent]).toEqual([remote.trace, remote.span]);
    const error = (await clockError(one)) + (await clockError(other));
    const hold = ones.find(({ name }) => name === 'lock.hold')!;
    const [wait, next] = ['lock.wait', 'lock.hold'].map((name) => others.find((span) => span.name === name)!);
    expect(wait!.start).toBeGreaterThan(hold.start - error);
    expect(wait!.end).toBeGreaterThanOrEqual(hold.end - error);
    expect(wait!.end - hold.end).toTakeLessThan(HAND_OFF, error, TURNS * arena.lag.max);
    expect(Math.abs(next!.start - wait!.end)).toTakeLessThan(2, arena.lag.max);
  }, 60_000);

  const answerOf = async (child: Child, question: string): Promise<string> => {
    child.tell(question);
    const pattern = new RegExp(`^${question} (.*) $`, 'm');
    await until(`it answers ${question}`, () => pattern.test(child.said));
    return pattern.exec(child.said)?.[1] ?? '';
  };
  const spansOf = async (child: Child): Promise<Span[]> =>
    JSON.parse(await answerOf(child, 'spans')) as Span[];
  /** By how many milliseconds the clock of a process may differ from ours: by its answer between two readings of ours. */
  const clockError = async (child: Child): Promise<number> => {
    const now = (): number => performance.timeOrigin + performance.now();
    const before = now();
    const theirs = Number(await answerOf(child, 'time'));
    const after = now();
    return Math.max(Math.abs(theirs - before), Math.abs(after - theirs)) + 1; // spans begin at whole milliseconds
  };
});
