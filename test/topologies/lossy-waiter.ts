/** Another process, which waits for what the holder holds, so that neither takes the time of the other. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { RedisSource } from '../../lib/store/redis/client-recipe.js';
import { monotonic } from '../proof/faults/harness/history.js';

/** What it had of a name: when, and with which fence. */
export interface WaitedGrant {
  readonly name: string;
  readonly at: number;
  readonly fence: number;
}

/** What it says at its end. */
export interface WaiterReport {
  readonly grants: readonly WaitedGrant[];
  readonly ghosts: readonly WaitedGrant[];
  readonly refusals: readonly string[];
}

/** It waits for all names and keeps them; `enough` grants later it says so. Ghosts are taken and given back. */
type Command =
  | { wait: readonly string[]; ttl: number; timeout: number; enough: number }
  | { ghosts: readonly string[] }
  | 'end';

/** The process, seen from the holder. */
export class LossyWaiter {
  private constructor(private readonly child: ChildProcess) {}

  static async start(redis: RedisSource): Promise<LossyWaiter> {
    const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(redis)], {
      execArgv: ['--import', './test/support/typescript.mjs'],
    });
    await once(child, 'message');
    return new LossyWaiter(child);
  }

  tell(command: Command): void {
    this.child.send(command);
  }

  /** Resolves with what it says next: that it had enough, or its report. */
  async said(): Promise<unknown> {
    return ((await once(this.child, 'message')) as unknown[])[0];
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}

async function wait(redis: RedisSource): Promise<void> {
  const locks = createLockService({ redis, log: { warn: () => undefined }, shutdownGrace: 0 });
  const leaving = new AbortController();
  const [grants, ghosts]: [WaitedGrant[], WaitedGrant[]] = [[], []];
  const refusals: string[] = [];
  const waits: Promise<void>[] = [];
  const refused = (error: Error): void => {
    if (!leaving.signal.aborted) refusals.push(error.message);
  };
  process.on('disconnect', () => process.exit());
  process.on('message', (command: Command) => {
    if (command === 'end') void end();
    else if ('ghosts' in command) waits.push(...command.ghosts.map((name) => takeGhost(name).catch(refused)));
    else for (const name of command.wait) void take(name, command).catch(refused);
  });

  async function take(
    name: string,
    { ttl, timeout, enough }: Exclude<Command, 'end' | { ghosts: unknown }>,
  ): Promise<void> {
    const { fence } = await locks.acquire(name, { ttl, wait: timeout, signal: leaving.signal });
    grants.push({ name, at: monotonic(), fence });
    if (grants.length === enough) process.send?.('enough');
  }

  async function takeGhost(name: string): Promise<void> {
    const lease = await locks.acquire(name, { ttl: 30_000, wait: 60_000 });
    ghosts.push({ name, at: monotonic(), fence: lease.fence });
    await lease.release();
  }

  async function end(): Promise<void> {
    await Promise.all(waits);
    leaving.abort();
    const report: WaiterReport = { grants, ghosts, refusals };
    process.send?.(report);
    await locks.close();
  }

  await locks.ready();
  process.send?.('ready');
}

const [, script, redis] = process.argv;
if (script === fileURLToPath(import.meta.url)) await wait(JSON.parse(redis as string) as RedisSource);
