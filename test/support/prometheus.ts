import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../tools/free-port.js';
import { guardAgainstOrphan } from '../../tools/orphan-guard.js';
import { program } from '../../tools/redis/server-binary.js';
import { until } from './eventually.js';

/** PROMETHEUS_BINARY, else prometheus on PATH (Debian's package of that name has it); undefined without one. */
export const prometheusBinary = (): string | undefined => program('PROMETHEUS_BINARY', ['prometheus']);

const STEP = 500;

/** A row of an answer: its labels, and its values one after the other. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

export interface AlertRule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly alerts: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

interface PrometheusOptions {
  /** The ports of the processes that it scrapes. */
  readonly ports: readonly number[];
  /** The file with its alert rules. */
  readonly rules: string;
  /** Milliseconds between two scrapes. */
  readonly every: number;
  /** Whether histograms are named as a collector names them: with their unit. */
  readonly units: boolean;
}

/** A real Prometheus, which scrapes processes of this machine. */
export class Prometheus {
  private readonly began = Date.now();

  private constructor(
    private readonly url: string,
    private readonly child: ChildProcess,
    private readonly directory: string,
    private readonly disarm: () => void,
  ) {}

  static async start({ ports, rules, every, units }: PrometheusOptions): Promise<Prometheus> {
    const binary = prometheusBinary();
    if (binary === undefined)
      throw new Error(
        'No Prometheus was found: install the package prometheus, or set PROMETHEUS_BINARY to its path.',
      );
    const directory = mkdtempSync(join(tmpdir(), 'lock-prometheus-'));
    const renamed = [
      {
        source_labels: ['__name__'],
        regex: 'lock_(acquire_duration|hold_duration|renewal_lag)_(bucket|sum|count)',
        target_label: '__name__',
        replacement: 'lock_${1}_seconds_${2}',
      },
    ];
    const targets = ports.map((port) => `127.0.0.1:${port}`);
    const job = {
      job_name: 'locks',
      static_configs: [{ targets }],
      ...(units && { metric_relabel_configs: renamed }),
    };
    const interval = `${every}ms`;
    // JSON is YAML.
    const config = {
      global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
      rule_files: [rules],
      scrape_configs: [job],
    };
    writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config));
    const port = await freePort();
    const args = [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ];
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (bytes) => (said += String(bytes)));
    const disarm = guardAgainstOrphan(`kill -9 ${child.pid}; rm -rf '${directory}'`);
    const started = new Prometheus(`http://127.0.0.1:${port}`, child, directory, disarm);
    await until('Prometheus is ready', async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended: ${said}`);
      return fetch(`${started.url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    return started;
  }

  /** What an expression is now. */
  async now(expression: string): Promise<Series[]> {
    const { result } = await this.ask<{
      result: { metric: Series['labels']; value: [number, string] }[];
    }>('query', { query: expression });
    return result.map(({ metric, value: [, value] }) => ({ labels: metric, values: [Number(value)] }));
  }

  /** What an expression was from the start until now, twice a second, as a dashboard draws it. */
  async drawn(expression: string): Promise<Series[]> {
    const end = Date.now();
    const start = end - Math.floor((end - this.began) / STEP) * STEP;
    const { result } = await this.ask<{
      result: { metric: Series['labels']; values: [number, string][] }[];
    }>('query_range', {
      ...{ query: expression, start: String(start / 1_000), end: String(end / 1_000) },
      step: String(STEP / 1_000),
    });
    return result.map(({ metric, values }) => ({
      labels: metric,
      values: values.map(([, value]) => Number(value)),
    }));
  }

  /** The values of a label of a metric, as a variable of a dashboard lists them. */
  async labelValues(metric: string, label: string): Promise<readonly string[]> {
    return this.ask<string[]>(`label/${label}/values`, { 'match[]': metric });
  }

  async alertRules(): Promise<readonly AlertRule[]> {
    const { groups } = await this.ask<{ groups: { rules: AlertRule[] }[] }>('rules', { type: 'alert' });
    return groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    if (this.child.exitCode === null) {
      this.child.kill();
      await gone;
    }
    this.disarm();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async ask<T>(what: string, about: Record<string, string>): Promise<T> {
    const answer = await fetch(`${this.url}/api/v1/${what}?${new URLSearchParams(about).toString()}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${JSON.stringify(about)}: ${error ?? status}`);
    return data;
  }
}
