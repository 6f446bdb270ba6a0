import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { FaultServer } from '../proof/faults/harness/fault-server.js';
import { HistoryFile } from '../proof/faults/harness/history.js';
import { abortOf, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const TTL = 30_000;

describeWithRealRedis('another server behind the same address', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lock-other-'));
  const history = new HistoryFile(join(directory, 'history.ndjson'));
  let server: FaultServer;
  let warnings: string[];
  const services: LockService[] = [];
  const open = (): LockService => {
    const log = { warn: (message: string) => void warnings.push(message), log: () => undefined };
    const locks = createLockService({ redis: server.url, ttl: TTL, shutdownGrace: 0, log });
    services.push(locks);
    return locks;
  };
  const moved = (): string[] => warnings.filter((warning) => /leases of this process/.test(warning));

  beforeAll(async () => (server = await FaultServer.start(history)));
  beforeEach(() => (warnings = []));
  afterEach(() => Promise.all(services.splice(0).map((locks) => locks.close())));
  afterAll(async () => {
    await server.stop();
    history.close();
    rmSync(directory, { recursive: true });
  });

  it('is asked for all leases at once, and one warning says which were lost', async () => {
    using lag = new Lag();
    const locks = open();
    const leases = await Promise.all(
      Array.from({ length: 1_100 }, (_, index) => locks.acquire(`lost-${index}`)),
    );
    await server.kill();
    await server.boot();
    const began = performance.now();
    await Promise.all(leases.map(({ signal }) => abortOf(signal)));
    // The renewals are due after ten seconds.
    expect(performance.now() - began).toTakeLessThan(4_000, lag.max);
    await until('it is said', () => moved().length > 0);
    expect(moved()).toEqual([
      expect.stringMatching(
        /^Redis at redis:.* is another server process than before \(127\.0\.0\.1:\d+\): of 1100 leases of this process, it kept 0 and lost 1100\.$/,
      ),
    ]);
  });

  it('was a replica meanwhile: it is left, and asked again when it is none', async () => {
    const locks = open();
    const lease = await locks.acquire('kept');
    await server.call('REPLICAOF', '127.0.0.1', 1);
    // The word comes from inside the script.
    await expect(lease.renew()).rejects.toThrow(/READONLY/);
    await expect(locks.acquire('other', { wait: 500 })).rejects.toThrow(/READONLY/);
    await server.call('REPLICAOF', 'NO', 'ONE');
    await until('it is said', () => moved().length > 0);
    expect(moved()).toEqual([
      expect.stringMatching(/was a replica for a while: of 1 leases .* kept 1 and lost 0\.$/),
    ]);
    expect(lease.held).toBe(true);
    await expect(lease.release()).resolves.toBe('released');
  });

  /** The server is a replica for a while, so that all it has been told is told again. */
  const becomesAnother = async (change: () => Promise<unknown> = () => Promise.resolve()): Promise<void> => {
    const before = moved().length;
    await server.call('REPLICAOF', '127.0.0.1', 1);
    for (const locks of services)
      await expect(locks.acquire('any', { wait: 500 })).rejects.toThrow(/READONLY/);
    await server.call('REPLICAOF', 'NO', 'ONE');
    await change();
    await until('all have heard of it', () => moved().length === before + services.length);
  };

  /** What follows from the news has been sent: a reading, and what it brings, over the connection that answers here. */
  const settled = async (locks: LockService): Promise<void> => {
    for (let times = 0; times < 3; times += 1) await locks.inspect('any');
  };

  it('is told again for how long a name stays taken, and that work is done', async () => {
    const [locks, others] = [open(), open()];
    await others.ready();
    await locks.using('stays-taken', () => undefined, { minHold: '20s' });
    const done = { doneTtl: '1m' } as const;
    let record: Buffer = Buffer.alloc(0);
    await locks.once('done', async () => void (record = await server.direct.dumpBuffer('lock:done')), done);
    // The grant was copied in time, and the release that brought the mark was not.
    await becomesAnother(() => server.direct.restore('lock:done', 0, record, 'REPLACE'));
    await settled(locks);
    await expect(others.tryAcquire('stays-taken')).resolves.toBeUndefined();
    await expect(others.once('done', () => undefined, done)).resolves.toMatchObject({ ran: false });
  });

  it('leaves a lock taken that was revoked, for as long as its work goes on', async () => {
    const [locks, others] = [open(), open()];
    await locks.using('revoked', () => undefined);
    const lease = await locks.acquire('revoked');
    await others.revoke('revoked', { reason: 'maintenance' });
    await abortOf(lease.signal);
    await becomesAnother();
    await settled(locks);
    await expect(others.tryAcquire('revoked')).resolves.toBeUndefined();
    await lease.release();
    await expect(others.tryAcquire('revoked')).resolves.toBeDefined();
  });

  it('is told of releases that it does not know, also of those before the last', async () => {
    const [locks, others] = [open(), open()];
    const ghost = await locks.acquire('ghost');
    const record = await server.direct.dumpBuffer('lock:ghost');
    await ghost.release();
    await (await locks.acquire('ghost')).release();
    await others.acquire('before').then((lease) => lease.release());
    await server.call('REPLICAOF', '127.0.0.1', 1);
    await expect(locks.acquire('any', { wait: 500 })).rejects.toThrow(/READONLY/);
    await server.direct.pipeline().replicaof('NO', 'ONE').restore('lock:ghost', 0, record, 'REPLACE').exec();
    using lag = new Lag();
    const began = performance.now();
    const lease = await others.acquire('ghost', { wait: '20s' });
    expect(performance.now() - began).toTakeLessThan(2_500, lag.max);
    expect(lease.fence).toBeGreaterThan(ghost.fence);
  });

  it('is a replica from the start: that is said at once, with what to write', async () => {
    await server.call('REPLICAOF', '127.0.0.1', 1);
    using lag = new Lag();
    const began = performance.now();
    await expect(open().ready()).rejects.toMatchObject({
      code: 'LOCK_STORE',
      message: expect.stringMatching(
        /cannot be used: READONLY: it is a replica; connect to its master, or name its sentinels/,
      ) as string,
    });
    expect(performance.now() - began).toTakeLessThan(3_000, lag.max);
    await server.call('REPLICAOF', 'NO', 'ONE');
  });
});
