import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { get, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { guardAgainstOrphan } from '../../../tools/orphan-guard.js';
import type { Incident, Tick } from '../../../sample-app/live/stage.js';

type Accident<Kind> = Extract<Incident, { kind: Kind }>;

/** The demo with its page, in a process of its own, and the stream that the page draws. */
export class DemoUnderTest {
  url = '';
  /** The last one. */
  tick!: Tick;
  private text = '';
  private readonly accidents = new Map<string, Incident>();

  private readonly release: () => void;

  private constructor(private readonly child: ChildProcess) {
    this.release = guardAgainstOrphan(`kill -INT -- -${child.pid}`);
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => (this.text += String(chunk)));
  }

  static start(folder: string, databaseUrl: string): Promise<DemoUnderTest> {
    // A Redis that the demo has not started cannot be stopped.
    const env = { ...process.env, DATABASE_URL: databaseUrl, REDIS_URL: '', NODE_OPTIONS: '' };
    return DemoUnderTest.run(process.execPath, [join(folder, 'tools/demo/main.js'), '--page'], { env });
  }

  /** Runs a command that begins the demo; resolves when it has said where its page is. */
  static async run(
    command: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly env: NodeJS.ProcessEnv },
  ): Promise<DemoUnderTest> {
    // A group of its own: what a terminal sends by Ctrl-C reaches npm, its shell and the demo.
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const demo = new DemoUnderTest(child);
    while ((demo.url = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.said())?.[0] ?? '') === '') {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`The demo ended: ${demo.said()}`);
      await sleep(20);
    }
    return demo;
  }

  said(): string {
    return stripVTControlCharacters(this.text);
  }

  /** The last accident of its kind, as the stream told it last. */
  incident<Kind extends 'kill' | 'freeze'>(kind: Kind): Accident<Kind> | undefined {
    return this.accidents.get(kind) as Accident<Kind> | undefined;
  }

  /** Reads the stream that the page reads. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = get(`${this.url}/live/ticks`, (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines)
            if (line.startsWith('data: ')) this.take(JSON.parse(line.slice(6)) as Tick);
          if (this.tick) resolve();
        });
        response.on('error', () => undefined);
      });
      stream.on('error', reject);
    });
  }

  async until(what: string, met: (tick: Tick) => boolean): Promise<void> {
    for (const end = performance.now() + 150_000; !met(this.tick); await sleep(20))
      if (performance.now() > end) throw new Error(`Waited in vain: ${what}`);
  }

  /** The status of a request that a browser or program might send. */
  post(path: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(`${this.url}${path}`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    // Not its exit, which npm may have before the demo; only when all have ended are both pipes closed.
    const gone = once(this.child, 'close');
    const group = -(this.child.pid as number);
    process.kill(group, 'SIGINT');
    const hurry = setTimeout(() => process.kill(group, 'SIGKILL'), 30_000);
    await gone;
    clearTimeout(hurry);
    this.release();
  }

  private take(tick: Tick): void {
    this.tick = tick;
    for (const incident of tick.incidents) this.accidents.set(incident.kind, incident);
  }
}
