import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { SystemClock } from '../../../../lib/base/clock.js';
import { RedisChannel } from '../../../../lib/store/redis/redis-channel.js';

/** A connection that does nothing by itself. */
class SilentClient extends EventEmitter {
  disconnects = 0;
  status = 'ready';
  connect = () => Promise.resolve();
  disconnect = () => void (this.disconnects += 1);
}

describe('the session’s channel', () => {
  it('ends a connection once, however often it is found dead before it is gone', () => {
    const client = new SilentClient();
    const on = { message: () => undefined, up: () => undefined, down: () => undefined };
    const channel = new RedisChannel('s', () => client as unknown as Redis, new SystemClock(), on);
    channel.reset();
    channel.start();
    for (let times = 0; times < 20; times += 1) channel.reset();
    expect(client.disconnects).toBe(1);
    client.emit('close');
    channel.reset();
    expect(client.disconnects).toBe(2);
    channel.close();
  });

  it('does not wait for the end of a connection that has ended already', () => {
    const client = new SilentClient();
    const on = { message: () => undefined, up: () => undefined, down: () => undefined };
    const channel = new RedisChannel('s', () => client as unknown as Redis, new SystemClock(), on);
    channel.start();
    client.emit('close');
    client.status = 'reconnecting';
    channel.reset();
    expect(client.disconnects).toBe(0); // the next one is on its way
    client.status = 'ready';
    client.emit('connect');
    channel.reset();
    expect(client.disconnects).toBe(1);
    channel.close();
  });

  const pending = new Set<() => void>();
  /** Its timers fire when the test says so. */
  class Watched extends SystemClock {
    override after(_ms: number, fire: () => void): () => void {
      pending.add(fire);
      return () => pending.delete(fire);
    }
  }
  beforeEach(() => pending.clear());

  it('waits for the subscription no longer than for the connection', async () => {
    const subscribed = new Promise(() => undefined);
    const client = Object.assign(new SilentClient(), {
      info: () => Promise.resolve(''),
      subscribe: () => subscribed,
    });
    const on = { message: () => undefined, up: () => undefined, down: () => undefined };
    const channel = new RedisChannel('s', () => client as unknown as Redis, new Watched(), on);
    channel.start();
    client.emit('connect');
    client.emit('ready');
    await new Promise(setImmediate);
    for (const fire of pending) fire();
    await new Promise(setImmediate);
    expect(client.disconnects).toBe(1);
    channel.close();
  });

  it('leaves no timer when it is closed, whatever it waits for', () => {
    const client = new SilentClient();
    const on = { message: () => undefined, up: () => undefined, down: () => undefined };
    const channel = new RedisChannel('s', () => client as unknown as Redis, new Watched(), on);
    channel.start();
    client.emit('connect');
    channel.expectEcho(0);
    expect(pending.size).toBe(2);
    client.emit('close');
    client.emit('connect'); // the connection of before is not waited for any more
    expect(pending.size).toBe(2);
    channel.close();
    expect(pending.size).toBe(0);
  });
});
