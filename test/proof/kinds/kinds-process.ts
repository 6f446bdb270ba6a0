// A process of its own for the checks of `npm run test:kinds`. It is told by IPC what to do and answers once.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import { LockError } from '../../../lib/base/errors.js';
import type { Lease } from '../../../lib/locks/lock.js';

export type KindsCommand =
  | { readonly kind: 'all-of'; readonly runs: number; readonly names: readonly string[] }
  | { readonly kind: 'permits'; readonly callers: number; readonly rounds: number }
  /** Readers who wait for each other inside until there are `all` of them. */
  | { readonly kind: 'meet'; readonly callers: number; readonly all: number }
  /** Readers who come again and again, and look for a writer beside them. */
  | { readonly kind: 'stream'; readonly callers: number; readonly rounds: number }
  /** Holders whose three nested entries run side by side: by each way to enter. */
  | { readonly kind: 'siblings'; readonly runs: number }
  | { readonly kind: 'hold' }
  | { readonly kind: 'nested'; readonly held: string; readonly wanted: string; readonly wait: number }
  | { readonly kind: 'close' };

export interface KindsReply {
  readonly done: number;
  /** Errors by code and reason. */
  readonly errors: Readonly<Record<string, number>>;
  readonly message?: string;
  /** The most that were inside at once, as a counter at the server says. */
  readonly most: number;
}

const url = process.argv[2] ?? '';
const locks = createLockService({ redis: url, ttl: '1s', shutdownGrace: 0 });
const data = new Redis(url);
const semaphore = locks.semaphore('printer', 3);
const { read } = locks.readWrite('catalog');
let [done, most] = [0, 0];
let message: string | undefined;
const errors: Record<string, number> = {};

/** Enters rooms that only one (or so many) may be in, by counters at the server. */
async function visit(rooms: readonly string[]): Promise<void> {
  for (const count of await Promise.all(rooms.map((room) => data.incr(`inside:${room}`))))
    most = Math.max(most, count);
  await Promise.all(rooms.map((room) => data.decr(`inside:${room}`)));
  done += 1;
}

function failed(error: unknown): void {
  const what = LockError.is(error)
    ? `${error.code} ${'reason' in error ? String(error.reason) : ''}`.trim()
    : String(error);
  errors[what] = (errors[what] ?? 0) + 1;
  message = (error as Error).message;
}

/** Two to four of the names, in random order. */
function some(names: readonly string[]): string[] {
  const shuffled = [...names].sort(() => Math.random() - 0.5);
  return shuffled.slice(0, 2 + Math.floor(Math.random() * 3));
}

async function obey(command: KindsCommand): Promise<void> {
  switch (command.kind) {
    case 'all-of': {
      let left = command.runs;
      const caller = async (): Promise<void> => {
        while ((left -= 1) >= 0) {
          const names = some(command.names);
          await locks.using(names, () => visit(names), { wait: '20s' }).catch(failed);
        }
      };
      await Promise.all(Array.from({ length: 2 }, caller));
      return;
    }
    case 'permits': {
      const caller = async (): Promise<void> => {
        for (let round = 0; round < command.rounds; round += 1)
          await semaphore.using(() => visit(['printer']), { wait: '20s' }).catch(failed);
      };
      await Promise.all(Array.from({ length: command.callers }, caller));
      return;
    }
    case 'meet': {
      const meet = async (): Promise<void> => {
        most = Math.max(most, await data.incr('inside:catalog'));
        for (const end = performance.now() + 10_000; most < command.all && performance.now() < end;) {
          await sleep(2);
          most = Math.max(most, Number(await data.get('inside:catalog')));
        }
        if (most === command.all) done += 1;
      };
      const reader = (): Promise<void> => read.using(meet, { wait: '10s' }).catch(failed);
      await Promise.all(Array.from({ length: command.callers }, reader));
      return;
    }
    case 'stream': {
      const look = async (): Promise<void> => {
        await sleep(2);
        most = Math.max(most, await data.exists('inside:writer'));
        done += 1;
      };
      const reader = async (): Promise<void> => {
        for (let round = 0; round < command.rounds; round += 1)
          await read.using(look, { wait: '10s' }).catch(failed);
      };
      await Promise.all(Array.from({ length: command.callers }, reader));
      return;
    }
    case 'siblings': {
      for (let run = 0; run < command.runs; run += 1) {
        const name = `family:${process.pid}`;
        const sections = (lease: Lease): Promise<void>[] => [
          lease.using(() => visit([name])),
          locks.using(name, () => visit([name]), { within: lease }),
          locks.using(name, () => visit([name]), { reentrant: true }),
        ];
        await locks.using(name, (lease) => Promise.all(sections(lease)), { wait: '10s' }).catch(failed);
      }
      return;
    }
    case 'hold':
      await semaphore.acquire({ units: 3 });
      return;
    case 'nested':
      await locks
        .using(command.held, async () => {
          process.send?.('holding');
          await new Promise<void>((resolve) => process.once('message', () => resolve()));
          await locks.using(command.wanted, () => void (done += 1), { wait: command.wait });
        })
        .catch(failed);
      return;
    case 'close':
      await locks.close();
      data.disconnect();
      process.disconnect();
  }
}

process.on('message', (command: KindsCommand | 'go') => {
  if (command === 'go') return;
  [done, most, message] = [0, 0, undefined];
  for (const key of Object.keys(errors)) delete errors[key];
  void obey(command).then(() => {
    const reply: KindsReply = {
      done,
      most,
      errors: { ...errors },
      ...(message === undefined ? {} : { message }),
    };
    if (process.connected) process.send?.(reply);
  });
});
await locks.ready();
process.send?.('ready');
