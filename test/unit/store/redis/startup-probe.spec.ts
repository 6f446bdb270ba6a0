import type { StoreFindings } from '../../../../lib/store/lock-store.js';
import { probe } from '../../../../lib/store/redis/startup-probe.js';

const INFO = 'redis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n';

describe('what the probe makes of the server it finds', () => {
  const environment = process.env['NODE_ENV'];
  afterEach(() => (process.env['NODE_ENV'] = environment));

  function findingsOf(address: string, namespace: string, info = INFO): Promise<StoreFindings> {
    const client = {
      info: () => Promise.resolve(info),
      scan: () => Promise.resolve(['0', []] as [string, string[]]),
      del: () => Promise.resolve(1),
      call: () => Promise.resolve(),
    };
    const store = { address, session: 'session', execute: () => Promise.resolve({}) };
    const place = { namespace, prefix: `${namespace}:`, id: 'session.1', timeout: 1_000, tracking: false };
    const allowed = { rights: () => Promise.resolve([]), hearing: Promise.resolve(undefined) };
    return probe(client, store as never, { ...place, ...allowed });
  }
  const warningsOf = async (...what: Parameters<typeof findingsOf>): Promise<readonly string[]> =>
    (await findingsOf(...what)).warnings;

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
    expect(version).toMatch(/runs redis 5\.0\.14.*6\.2/);
  });

  it('knows a server by the name and version that it says of itself', async () => {
    const valkey = INFO.replace('7.0.15', '7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2');
    for (const [info, server, version] of [
      [INFO, 'redis', '7.0.15'],
      [valkey, 'valkey', '9.1.2'],
    ] as const)
      expect(await findingsOf('redis://127.0.0.1:6379/0', 'lock', info)).toMatchObject({ server, version });
  });

  it('says in one line what it may not ask', async () => {
    expect(await warningsOf('redis://127.0.0.1:6379/0', 'lock', '')).toEqual([
      expect.stringMatching(/does not answer INFO/),
    ]);
  });
});
