import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLockService } from '../../../../lib/locks/create-lock-service.js';
import type { LockReport } from '../../../../lib/locks/inspector.js';
import type { LockService } from '../../../../lib/locks/lock-service.js';
import { freePort } from '../../../../tools/free-port.js';
import { guardAgainstOrphan } from '../../../../tools/orphan-guard.js';
import { redisAnswer } from '../../../../tools/redis/redis-answer.js';
import { serverBinary } from '../../../../tools/redis/server-binary.js';
import { isAtLeast } from '../../../support/server-version.js';
import { monotonic, type HistoryFile } from './history.js';

const BINARY = serverBinary() ?? 'redis-server';

/** A redis-server to which things are done: frozen, killed and started again empty, refused its words. */
export class FaultServer {
  readonly url: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'lock-faults-'));
  private child!: ChildProcess;
  private disarm: () => void = () => undefined;
  private control!: Redis;
  private readonly inspector: LockService;
  private meter: NodeJS.Timeout | undefined;
  private measures = true;

  private constructor(
    readonly port: number,
    private readonly history: HistoryFile,
    private readonly args: readonly string[],
    private readonly env: Record<string, string>,
  ) {
    this.url = `redis://127.0.0.1:${port}`;
    this.inspector = createLockService({ redis: this.url, log: { warn: () => undefined } });
  }

  static async start(history: HistoryFile, args: readonly string[] = [], env: Record<string, string> = {}) {
    const server = new FaultServer(await freePort(), history, args, env);
    await server.boot();
    return server;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** A connection past every proxy. */
  get direct(): Redis {
    return this.control;
  }

  async call(...words: [string, ...(string | number)[]]): Promise<unknown> {
    const [command, ...args] = words;
    return await this.control.call(command, ...args);
  }

  async set(...words: string[]): Promise<void> {
    await this.call('CONFIG', 'SET', ...words);
  }

  /** Off while the server is about to be slow on purpose. */
  measurePing(on: boolean): void {
    this.measures = on;
  }

  freeze(): void {
    this.measures = false;
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
    setTimeout(() => (this.measures = true), 100);
  }

  /** Kills it; what it knew is gone. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    clearInterval(this.meter);
    this.control.disconnect();
    this.child.kill('SIGKILL');
    await gone;
    this.disarm();
  }

  async boot(): Promise<void> {
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const debug = isAtLeast(7) ? ['--enable-debug-command', 'yes'] : []; // before, nobody had to be asked
    const own = ['--dir', this.directory, ...debug, '--lua-time-limit', '100'];
    this.child = spawn(BINARY, [...fixed, ...own, ...this.args], {
      stdio: 'ignore',
      detached: true,
      env: { ...process.env, ...this.env },
    });
    this.disarm = guardAgainstOrphan(`kill -9 ${this.pid}; rm -rf '${this.directory}'`);
    for (const end = monotonic() + 10_000; (await redisAnswer(this.port)) === undefined; await sleep(5))
      if (monotonic() > end) throw new Error(`${BINARY} did not start on port ${this.port}.`);
    this.control = new Redis(this.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    this.control.on('error', () => undefined);
    let worst = 0;
    this.meter = setInterval(() => {
      if (!this.measures) return;
      const sent = monotonic();
      void this.control.ping().then(
        () => {
          const ms = monotonic() - sent;
          if (this.measures && ms > worst + 2) this.history.add({ type: 'ping', ms: (worst = ms) });
        },
        () => undefined,
      );
    }, 25);
  }

  /** Who holds a name and who waits for it. */
  async state(name: string): Promise<LockReport> {
    return this.inspector.inspect(name);
  }

  /** The names that have a holder or a queue. */
  async taken(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.inspector.list()) names.push(name);
    return names;
  }

  async stop(): Promise<void> {
    await this.inspector.close();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.thaw();
      await this.kill();
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
