import { connection, contenderOf } from './clients.js';

// hrtime is the machine's monotonic clock: two processes may compare what they read from it.
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

let release: () => Promise<unknown> = () => Promise.resolve();
let granted: Promise<number> = Promise.resolve(0);
let heard: Promise<number> = Promise.resolve(0);
let hear: (at: number) => void = () => undefined;

/** Takes the lock, and keeps it until {@link giveBack}. */
export async function hold(entrant: string, url: string, name: string): Promise<void> {
  release = await (await contenderOf(entrant, url)).acquire(name);
}

/** Gives the lock back; resolves with when that began. */
export async function giveBack(): Promise<number> {
  const began = now();
  await release();
  return began;
}

/** Begins to wait for the lock. {@link grantedAt} tells when it was there; it is given back at once. */
export async function stand(entrant: string, url: string, name: string): Promise<void> {
  const contender = await contenderOf(entrant, url);
  granted = contender.acquire(name).then(async (giveUp) => {
    const at = now();
    await giveUp();
    return at;
  });
}

export const grantedAt = (): Promise<number> => granted;

/** Subscribes, once, and makes ready for the next message. */
export async function listen(url: string, channel: string): Promise<void> {
  const client = connection(url, 'subscriber');
  if (client.listenerCount('message') === 0) {
    client.on('message', () => hear(now()));
    await client.subscribe(channel);
  }
  heard = new Promise((resolve) => (hear = resolve));
}

export const heardAt = (): Promise<number> => heard;

/** Publishes; resolves with when that began. */
export async function publish(url: string, channel: string): Promise<number> {
  const client = connection(url, 'publisher');
  const began = now();
  await client.publish(channel, 'x');
  return began;
}
