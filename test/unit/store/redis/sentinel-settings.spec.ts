import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { ClientRecipe } from '../../../../lib/store/redis/client-recipe.js';
import { leadsElsewhere } from '../../../../lib/store/redis/sentinel-settings.js';

const SENTINELS = { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'mymaster', lazyConnect: true };

function settingsOf(source: object): Record<string, unknown> {
  const client = new ClientRecipe(source).open('test');
  const { failoverDetector, sentinelCommandTimeout, connectTimeout } = client.options;
  client.disconnect();
  return { failoverDetector, sentinelCommandTimeout, connectTimeout };
}

describe('the options of Sentinel', () => {
  const ours = { failoverDetector: true, sentinelCommandTimeout: 500, connectTimeout: 2_000 };

  it.each([
    ['options', () => SENTINELS],
    ['a client of ioredis 6', () => new Redis(SENTINELS)],
    ['a client of ioredis 5', () => new Redis5(SENTINELS)],
  ])('hear of failovers and wait for no sentinel for long, given as %s', (_, source) => {
    expect(settingsOf(source())).toEqual(ours);
  });

  it('stand where the user chose them', () => {
    const chosen = { failoverDetector: false, sentinelCommandTimeout: 70, connectTimeout: 700 };
    expect(settingsOf({ ...SENTINELS, ...chosen })).toEqual(chosen);
    expect(settingsOf(new Redis5({ ...SENTINELS, ...chosen }))).toMatchObject({
      sentinelCommandTimeout: 70,
      connectTimeout: 700,
    });
  });

  it('are nothing to a server by itself', () => {
    expect(settingsOf({ host: '127.0.0.1', lazyConnect: true })).toMatchObject({
      failoverDetector: false,
      connectTimeout: 5_000,
    });
  });
});

describe('a sentinel that tells of a failover', () => {
  const at = (remoteAddress?: string, remotePort?: number): Redis =>
    ({ options: { name: 'mymaster' }, stream: { remoteAddress, remotePort } }) as unknown as Redis;

  it.each([
    ['we are at the old master', at('10.0.0.1', 6379), true],
    ['we are nowhere yet', at(), true],
    ['we followed another sentinel already', at('10.0.0.2', 6380), false],
  ])('is followed unless we are there: %s', (_, client, follows) => {
    expect(leadsElsewhere(client, 'mymaster 10.0.0.1 6379 10.0.0.2 6380')).toBe(follows);
  });

  it('is not followed to a master of another name', () => {
    expect(leadsElsewhere(at('10.0.0.1', 6379), 'other 10.0.0.9 6379 10.0.0.8 6379')).toBe(false);
  });
});
