import { setTimeout as sleep } from 'node:timers/promises';
import type { Own } from '../contenders/own.js';
import { rate } from '../measure/loops.js';
import { connection, contenderOf, readModifyWrite } from './clients.js';

/** A name and whose lock it is. */
export interface Wanted {
  readonly entrant: string;
  readonly url: string;
  readonly name: string;
}

/** One name again and again by one caller. */
export interface Again extends Wanted {
  readonly warmUp: number;
  readonly ms: number;
  /** How many cycles more, whose fences are compared; only of our own locks. */
  readonly fences: number;
}

export interface AgainOutcome {
  readonly cycles: number;
  /** How often a fence was not larger than the one before. */
  readonly falling: number;
}

export async function again({ entrant, url, name, warmUp, ms, fences }: Again): Promise<AgainOutcome> {
  const contender = await contenderOf(entrant, url);
  const once = () => contender.using(name, async () => undefined);
  await rate(warmUp, 1, once);
  const cycles = await rate(ms, 1, once);
  let falling = 0;
  let last = 0;
  const { locks, options } = contender as Own;
  for (let cycle = 0; cycle < fences; cycle += 1)
    await locks.using(
      name,
      ({ fence }) => {
        if (fence <= last) falling += 1;
        last = fence;
      },
      options,
    );
  return { cycles, falling };
}

/** Takes the name once, and gives it back; resolves with the milliseconds until it had it. */
export async function grant({ entrant, url, name }: Wanted, rmw: boolean): Promise<number> {
  const contender = await contenderOf(entrant, url);
  const section = rmw ? readModifyWrite(url, name) : undefined;
  const asked = performance.now();
  let waited = 0;
  await contender.using(name, async () => {
    waited = performance.now() - asked;
    await section?.();
  });
  return waited;
}

/** Answers each message in `channel` by one in `channel`:back. */
export async function answerIn(url: string, channel: string): Promise<void> {
  const [hears, speaks] = [connection(url, 'subscriber'), connection(url, 'publisher')];
  hears.removeAllListeners('message');
  hears.on('message', () => void speaks.publish(`${channel}:back`, 'x'));
  await hears.subscribe(channel);
}

/** Milliseconds for a message there and one back, bare. */
export async function thereAndBack(url: string, channel: string): Promise<number> {
  const [hears, speaks] = [connection(url, 'subscriber'), connection(url, 'publisher')];
  await hears.subscribe(`${channel}:back`);
  const heard = new Promise<void>((resolve) => hears.once('message', () => resolve()));
  const sent = performance.now();
  void speaks.publish(channel, 'x');
  await heard;
  return performance.now() - sent;
}

/** Whether a try got the name, and the longest delay of this process and of the server meanwhile, in milliseconds. */
export interface Try {
  readonly granted: boolean;
  readonly delay: number;
}

export async function tryOnce({ entrant, url, name }: Wanted): Promise<Try> {
  const { locks } = (await contenderOf(entrant, url)) as Own;
  const lag = lateness();
  const asked = performance.now();
  const answered = connection(url, 'ping')
    .ping()
    .then(() => performance.now() - asked);
  const lease = await locks.tryAcquire(name);
  await lease?.release();
  return { granted: lease !== undefined, delay: Math.max(await answered, lag()) };
}

/** Tries again and again until `ms` are over; resolves with how often. It measures nothing meanwhile, which would cost more than to try. */
export async function tryFor({ entrant, url, name }: Wanted, every: number, ms: number): Promise<number> {
  const { locks } = (await contenderOf(entrant, url)) as Own;
  return repeat(every, ms, async () => (await locks.tryAcquire(name))?.release());
}

/** Reads the name's record every so often until `ms` are over: what any neighbour costs that does something. */
export async function lookFor({ url, name }: Wanted, every: number, ms: number): Promise<number> {
  const client = connection(url, 'look');
  return repeat(every, ms, () => client.get(`lock:${name}`));
}

/** Acts, and pauses for so many milliseconds, until `ms` are over; resolves with how often. */
async function repeat(every: number, ms: number, act: () => Promise<unknown>): Promise<number> {
  let times = 0;
  for (const end = performance.now() + ms; performance.now() < end; times += 1) {
    await act();
    await sleep(every);
  }
  return times;
}

let watched: (() => number) | undefined;

/** By how much the event loop was late at most since this was asked last. */
export function lateSince(): number {
  const late = watched?.() ?? 0;
  watched = lateness();
  return late;
}

const LOOK_EVERY = 5;

/** Measures how late the event loop is; returns what ends that and tells the most. */
function lateness(): () => number {
  let last = performance.now();
  let most = 0;
  const look = (): void => {
    const now = performance.now();
    most = Math.max(most, now - last - LOOK_EVERY);
    last = now;
  };
  const timer = setInterval(look, LOOK_EVERY);
  timer.unref();
  return () => {
    clearInterval(timer);
    look();
    return most;
  };
}
