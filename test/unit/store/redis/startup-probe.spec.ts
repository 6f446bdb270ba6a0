import { probe } from '../../../../lib/store/redis/startup-probe.js';

const INFO = 'redis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n';

describe('what the probe makes of the server it finds', () => {
  const environment = process.env['NODE_ENV'];
  afterEach(() => (process.env['NODE_ENV'] = environment));

  async function warningsOf(address: string, namespace: string, info = INFO): Promise<readonly string[]> {
    const client = {
      info: () => Promise.resolve(info),
      publish: () => Promise.resolve(0),
      del: () => Promise.resolve(1),
    };
    const store = { address, session: 'session', execute: () => Promise.resolve({}) };
    const place = { namespace, prefix: `${namespace}:`, id: 'session.1', timeout: 1_000 };
    return (await probe(client, store as never, place)).warnings;
  }

  it('warns of the default namespace in production, on a server that is not local', async () => {
    process.env['NODE_ENV'] = 'production';
    expect(await warningsOf('redis://redis.internal:6379/0', 'lock')).toEqual([
      expect.stringMatching(/default namespace 'lock'.*Set the option namespace/),
    ]);
    expect(await warningsOf('redis://127.0.0.1:6379/0', 'lock')).toEqual([]);
    expect(await warningsOf('redis://redis.internal:6379/0', 'shop')).toEqual([]);
  });

  it('does not warn of the default namespace outside production', async () => {
    process.env['NODE_ENV'] = 'development';
    expect(await warningsOf('redis://redis.internal:6379/0', 'lock')).toEqual([]);
  });

  it('warns of a replica and of a server older than tested', async () => {
    const old = INFO.replace('7.0.15', '5.0.14').replace('master', 'slave');
    const [replica, version] = await warningsOf('redis://127.0.0.1:6379/0', 'lock', old);
    expect(replica).toMatch(/is a replica: connect to the master/);
    expect(version).toMatch(/5\.0\.14.*6\.2/);
  });

  it('says in one line what it may not ask', async () => {
    expect(await warningsOf('redis://127.0.0.1:6379/0', 'lock', '')).toEqual([
      expect.stringMatching(/does not answer INFO/),
    ]);
  });
});
