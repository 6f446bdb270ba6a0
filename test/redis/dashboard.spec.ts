import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../tools/free-port.js';
import { arenaForTests } from '../support/arena.js';
import { Child } from '../support/child.js';
import { until } from '../support/eventually.js';
import { Prometheus, prometheusBinary, type Series } from '../support/prometheus.js';
import { HAS_REAL_REDIS } from '../support/real-redis.js';

const PAGES = join(import.meta.dirname, '../../docs/observability');
const RULES = join(PAGES, 'prometheus-alerts.yml');
const EVERY = 500;
// What Grafana makes of $__rate_interval: four scrapes.
const RATE_INTERVAL = `${(4 * EVERY) / 1_000}s`;

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const { panels, templating } = JSON.parse(readFileSync(join(PAGES, 'grafana-dashboard.json'), 'utf8')) as {
  panels: readonly Panel[];
  templating: { list: { name: string; definition?: string }[] };
};

/** A query as Grafana sends it, with the locks that are chosen. */
const rendered = (expression: string, locks: string): string =>
  expression.replaceAll('$lock', locks).replaceAll('$__rate_interval', RATE_INTERVAL);

/** The numbers that a panel draws: the lines of a series that is only NaN are nowhere to be seen. */
const drawnNumbers = (series: readonly Series[]): number[] =>
  series.flatMap(({ values }) => values.filter(Number.isFinite));

const found = HAS_REAL_REDIS && prometheusBinary() !== undefined;
const required = process.env['REQUIRE_PROMETHEUS'] === '1';
// Skipped, and counted as such, without a Prometheus. Where one is required it runs, and so fails.
const describeWithPrometheus = found || required ? describe : describe.skip;

describeWithPrometheus('the dashboard and the alerts, by a real Prometheus (package prometheus)', () => {
  const arena = arenaForTests();
  const processes: Child[] = [];
  const servers: Prometheus[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    await Promise.all(processes.splice(0).map((each) => each.kill()));
  });

  it('no panel is empty, whatever the histograms are called, and every alert can be evaluated', async () => {
    const ports = [await freePort(), await freePort()];
    for (const port of ports)
      processes.push(new Child('test/support/observed-process.ts', arena.server.url, String(port)));
    await Promise.all(processes.map((each) => each.says('ready')));
    const [one] = processes as [Child, Child];
    const names = { exporter: false, collector: true };
    const [exporter, collector] = await Promise.all(
      Object.values(names).map((units) => Prometheus.start({ ports, rules: RULES, every: EVERY, units })),
    );
    servers.push(exporter!, collector!);
    /** Until both have scraped what makes the query true. */
    const shown = (what: string, query: string): Promise<void> => {
      const isShown = async (): Promise<boolean> => {
        const found = await Promise.all(servers.map((server) => server.now(query)));
        return found.every((series) => series.some(({ values }) => (values[0] ?? 0) > 0));
      };
      return until(what, isShown, 30_000, 20);
    };
    const count = (metric: string): string => `{__name__=~"lock_${metric}(_seconds)?_count"}`;

    // Each counter begins before what it counts: a rate sees only what comes after the first scrape.
    for (const each of processes) each.tell('crowd stock:1 1 1');
    await Promise.all(processes.map((each) => each.says('crowded')));
    await using _busy = await arena.open().acquire('stock:4');
    one.tell('give-up stock:4 50');
    await one.says('LOCK_BUSY');
    await shown('the first refusal', `sum(${count('acquire_duration')}) > 2`);

    // Contention between the processes, and inside each.
    for (const each of processes) each.tell('crowd stock:1 6 150');
    await shown('callers that wait', 'sum(lock_waiting) > 0');
    one.tell('give-up stock:4 50');
    await until('it was refused again', () => one.said.split('LOCK_BUSY').length === 3);
    await arena.admin.config('SET', 'maxmemory', '1');
    one.tell('give-up job:1 100');
    await one.says('LOCK_STORE');
    await arena.admin.config('SET', 'maxmemory', '0');
    one.tell('hold order:2 60000 600');
    await one.says('holding');
    await shown('it, with no loss so far', 'sum(lock_held{lock_name="order"}) > 0');
    await shown('renewals', rendered(`sum(rate(${count('renewal_lag')}[$__rate_interval])) > 0`, '.*'));
    one.end('SIGSTOP');
    await using lease = await arena.open().acquire('order:2', { wait: '10s' });
    one.end('SIGCONT');
    lease.assertHeld();
    await shown(
      'the refusals',
      'sum(increase({__name__=~"lock_acquire.*_count",lock_reason="timeout"}[5m])) > 0',
    );
    await until('the alert on the loss', async () => {
      const rules = (await Promise.all(servers.map((server) => server.alertRules()))).flat();
      return rules.filter(({ state }) => state === 'firing').length === servers.length;
    });

    expect(panels.length).toBeGreaterThan(8);
    for (const [form, server] of Object.entries({ exporter, collector })) {
      const figures: Record<string, number[]> = {};
      for (const { title, targets } of panels)
        for (const { expr, legendFormat } of targets) {
          const series = await server!.drawn(rendered(expr, '.*'));
          const drawn = drawnNumbers(series);
          const about = { form, title, expr };
          expect({ ...about, empty: drawn.length === 0 }).toEqual({ ...about, empty: false });
          (figures[title] ??= []).push(Math.max(...drawn));
          for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
            expect({ ...about, label, known: series.some(({ labels }) => label in labels) }).toEqual({
              ...{ ...about, label, known: true },
            });
        }
      // A line at zero is no empty panel, but here each has something to show.
      for (const [title, most] of Object.entries(figures))
        expect({ form, title, most: Math.min(...most) > 0 }).toEqual({ form, title, most: true });
      expect(figures['Wait for a lock']?.at(-1)).toBeGreaterThan(0.25);
      expect(figures['Callers that wait']?.[0]).toBeGreaterThanOrEqual(5);

      const variable = templating.list.find(({ name }) => name === 'lock')?.definition ?? '';
      const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(variable) ?? [];
      expect(await server!.labelValues(metric, label)).toEqual(['order', 'stock']);
      const [grants] = panels.filter(({ title }) => title === 'Grants');
      const chosen = await server!.drawn(rendered(grants?.targets[0]?.expr ?? '', '(order|job)'));
      expect(chosen.map(({ labels }) => labels['lock_name'])).toEqual(['order']);

      const rules = await server!.alertRules();
      const written = [...readFileSync(RULES, 'utf8').matchAll(/alert: (\w+)\s+expr: (.*) > [\d.]+$/gm)];
      expect(rules.map(({ name, health }) => [name, health])).toEqual(
        written.map(([, name]) => [name, 'ok']),
      );
      // What each compares with its threshold; an alert that compares nothing never fires.
      for (const [, name, compared = ''] of written)
        expect({ form, name, compared: drawnNumbers(await server!.now(compared)).length > 0 }).toEqual({
          ...{ form, name, compared: true },
        });
      const [lost] = rules.filter(({ name }) => name === 'LockLeasesLost');
      expect(lost).toMatchObject({
        state: 'firing',
        alerts: [
          {
            labels: { severity: 'critical', lock_name: 'order', lock_reason: 'expired' },
            annotations: { summary: 'A lease on order was lost (expired) while its holder worked.' },
          },
        ],
      });
    }
  }, 120_000);
});
