import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { SystemClock } from '../../../../lib/base/clock.js';
import { RedisChannel } from '../../../../lib/store/redis/redis-channel.js';

/** A connection that does nothing by itself. */
class SilentClient extends EventEmitter {
  disconnects = 0;
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

  it('leaves no timer when it is closed, whatever it waits for', () => {
    const pending = new Set<() => void>();
    class Watched extends SystemClock {
      override after(_ms: number, fire: () => void): () => void {
        pending.add(fire);
        return () => pending.delete(fire);
      }
    }
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
