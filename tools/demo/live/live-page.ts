import { spawn } from 'node:child_process';
import type { INestApplication } from '@nestjs/common';
import { serveLivePage } from '../../../sample-app/live/live-server.js';
import { startDatabase, type RunningDatabase } from '../../database/start-database.js';
import { startLiveRedis, type LiveRedis } from './live-redis.js';
import { LiveStage } from './live-stage.js';

const PROCESSES = 3;

interface Stoppable {
  stop(): Promise<void>;
}

/** The live page with all that is behind it; `stop` undoes a start at any moment. */
export class LivePage {
  private readonly running: Stoppable[] = [];
  private starting: Promise<unknown> = Promise.resolve();
  private stopped: Promise<void> | undefined;

  /** Resolves with the address of the page. `say` gets a line for each step, when it begins. */
  start(say: (step: string) => void): Promise<string> {
    const started = this.startAll(say);
    this.starting = started.catch(() => undefined);
    return started;
  }

  private async startAll(say: (step: string) => void): Promise<string> {
    say('Redis and a database');
    const starting: [Promise<LiveRedis>, Promise<RunningDatabase>] = [startLiveRedis(), startDatabase()];
    const settled = await Promise.allSettled(starting);
    for (const one of settled) if (one.status === 'fulfilled') this.running.push(one.value);
    const [redis, database] = await Promise.all(starting);
    if (this.stopped) return '';
    say(`${PROCESSES} processes of the flash sale`);
    const stage = new LiveStage(redis, database);
    this.running.push(stage);
    await stage.start(PROCESSES);
    const app: INestApplication = await serveLivePage(stage, Number(process.env.PORT ?? 0));
    this.running.push({ stop: () => app.close() });
    return (await app.getUrl()).replace('[::1]', '127.0.0.1');
  }

  /** Ends everything, last things first. Idempotent. */
  stop(): Promise<void> {
    this.stopped ??= this.starting.then(async () => {
      for (const one of this.running.reverse()) await one.stop();
    });
    return this.stopped;
  }
}

/** Opens the page in a browser where somebody sits before a desktop. */
export function openBrowser(url: string): void {
  const { platform, env } = process;
  if (env.CI || env.SSH_CONNECTION || env.SSH_TTY) return;
  const command = {
    darwin: ['open', url],
    win32: ['cmd', '/c', 'start', '', url],
    linux: env.DISPLAY || env.WAYLAND_DISPLAY ? ['xdg-open', url] : undefined,
  }[platform as string];
  if (!command) return;
  const [program = '', ...args] = command;
  spawn(program, args, { stdio: 'ignore', detached: true })
    .on('error', () => undefined) // the address is printed, too
    .unref();
}
