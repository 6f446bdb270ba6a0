import { DoubleChannel } from '../../../../lib/store/redis/double-channel.js';
import type { RedisChannel } from '../../../../lib/store/redis/redis-channel.js';

describe('the channel over two connections', () => {
  const heard: string[] = [];
  const resets: number[] = [];
  let hears: ((text: string) => void)[];
  let up: boolean[];
  let channel: DoubleChannel;

  beforeEach(() => {
    [hears, up] = [[], [false, false]];
    heard.length = resets.length = 0;
    channel = new DoubleChannel(
      (place, hear) => {
        hears[place] = hear;
        const one = { reset: () => resets.push(place) };
        return Object.defineProperty(one, 'subscribed', { get: () => up[place] }) as unknown as RedisChannel;
      },
      (text) => heard.push(text),
    );
  });

  it('tells of a grant once, whichever connection brings it first, and of all else each time', () => {
    for (const text of ['g s.1 …', 'e s.1 key', 'g s.2 …']) for (const hear of hears) hear(text);
    expect(heard).toEqual(['g s.1 …', 'e s.1 key', 'e s.1 key', 'g s.2 …']);
  });

  it('remembers grants for as long as their copies may be on the way, and no longer', () => {
    for (let index = 0; index < 200; index += 1) hears[0]!(`g ${index}`);
    for (let index = 0; index < 200; index += 1) hears[1]!(`g ${index}`);
    expect(heard).toHaveLength(200);
    for (let index = 200; index < 800; index += 1) hears[0]!(`g ${index}`);
    hears[1]!('g 0');
    expect(heard).toHaveLength(801);
  });

  it('is subscribed while one of the two is', () => {
    expect(channel.subscribed).toBe(false);
    up[1] = true;
    expect(channel.subscribed).toBe(true);
    up = [true, false];
    expect(channel.subscribed).toBe(true);
  });

  it('has one connection lead elsewhere, or both', () => {
    channel.reset(1);
    expect(resets).toEqual([1]);
    channel.reset();
    expect(resets).toEqual([1, 0, 1]);
  });
});
