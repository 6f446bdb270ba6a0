import { KeySlots } from '../../../../lib/store/redis/key-slots.js';

describe('the slot of a key', () => {
  // As CLUSTER KEYSLOT of Redis 7.0.15 says.
  it.each([
    ['', '123456789', 12739],
    ['lock:', 'stock:17', 354],
    ['lock:', 'stock:{17}', 12304],
    ['lock:', 'naïve Straße 東京', 10720],
    ['{shop}:lock:', 'stock:17', 3808],
    ['lock:', '{}stock', 6729],
    ['lock:', '{stock', 11637],
    ['lock{:', 'a}b', 5849],
  ])('of %s%s is that of the server', (prefix, name, slot) => {
    expect(new KeySlots(prefix).of(name)).toBe(slot);
  });
});
