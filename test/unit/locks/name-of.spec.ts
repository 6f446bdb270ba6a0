import { AsyncLocalStorage } from 'node:async_hooks';
import { lockName } from '../../../lib/base/name.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import type { Lease, Lock } from '../../../lib/locks/lock.js';
import { failureOf } from '../../support/eventually.js';

const tenant = new AsyncLocalStorage<string>();
const QUIET = { shutdownGrace: 0, log: { warn: () => undefined } };
const locks = createLockService({
  ...QUIET,
  nameOf: (name) => `${lockName('tenant', tenant.getStore() as string)}:${name}`,
});
afterAll(() => locks.close());

const inTenant = <T>(name: string, work: () => T): T => tenant.run(name, work);
const namesOf = ({ names }: Lease): readonly string[] => names;

/** Every way to work under a lock of the LockService. */
const WAYS: readonly [string, (service: LockService, work: (lease: Lease) => unknown) => Promise<unknown>][] =
  [
    ['using', (service, work) => service.using('a', work)],
    ['using of several names', (service, work) => service.using(['a'], work)],
    ['acquire', async (service, work) => work(await service.acquire('a'))],
    ['tryAcquire', async (service, work) => work((await service.tryAcquire('a'))!)],
    ['mutex', (service, work) => service.mutex('a').using(work)],
    ['readWrite', (service, work) => service.readWrite('a').read.using(work)],
    ['semaphore', (service, work) => service.semaphore('a', 2).using(work)],
    ['allOf', (service, work) => service.allOf(['a']).using(work)],
    ['allOf of locks', (service, work) => service.allOf([service.mutex('a')]).using(work)],
    ['once', (service, work) => service.once('a', work, { doneTtl: 100 })],
  ];

describe('the option nameOf', () => {
  it.each(WAYS)('makes the name of %s, in the context of the call', async (what, way) => {
    const seen: unknown[] = [];
    for (const each of ['x', 'y'])
      await inTenant(each, () =>
        way(locks, async (lease) => {
          seen.push(...namesOf(lease), lease.fenceOf('a') === lease.fenceOf(namesOf(lease)[0]!));
          if (what !== 'once') await lease.release(); // once does so itself
        }),
      );
    expect(seen).toEqual(['tenant:x:a', true, 'tenant:y:a', true]);
  });

  it('is not applied to a lock of another LockService: allOf refuses it', async () => {
    const others = createLockService({ ...QUIET, nameOf: (name) => `others:${name}` });
    for (const lock of [others.mutex('a'), others.semaphore('a', 2), others.allOf(['a'])]) {
      expect(() => locks.allOf([lock])).toThrow("another LockService: 'a' is locked there, not here");
      const plain = createLockService(QUIET);
      expect(() => plain.allOf([lock])).toThrow('another LockService');
      expect(() => locks.allOf([plain.mutex('a')])).toThrow('another LockService');
      await plain.close();
    }
    await others.close();
  });

  it('is asked by each call of a lock that is kept', async () => {
    const kept: Lock[] = [locks.mutex('kept'), locks.readWrite('kept').write, locks.allOf(['kept', 'other'])];
    for (const lock of kept)
      for (const each of ['x', 'y']) {
        const lease = await inTenant(each, () => lock.acquire());
        expect(namesOf(lease)[0]).toBe(`tenant:${each}:kept`);
        await lease.release();
      }
    const permits = locks.semaphore('permits', 3);
    const lease = await inTenant('x', () => permits.acquire({ units: 2 }));
    expect(await inTenant('x', () => permits.available())).toBe(1);
    expect(await inTenant('y', () => permits.available())).toBe(3);
    expect(await inTenant('x', () => permits.tryAcquire({ units: 2 }))).toBeUndefined();
    await lease.release();
    const latch = locks.latch('latch');
    expect(await inTenant('x', () => latch.trySetCount(1))).toBe(true);
    expect(await inTenant('y', () => latch.count())).toBeUndefined();
    expect(await inTenant('x', () => latch.countDown())).toBe(0);
    await inTenant('x', () => latch.opened());
  });

  it('concerns inspect, revoke, current, within and a campaign, and list tells the names that are locked', async () => {
    const lease = await inTenant('x', () => locks.acquire('seen'));
    const holders = async (each: string): Promise<number> =>
      (await inTenant(each, () => locks.inspect('seen'))).holders.length;
    expect([await holders('x'), await holders('y')]).toEqual([1, 0]);
    const listed = [];
    for await (const { name } of locks.list()) listed.push(name);
    expect(listed).toEqual(['tenant:x:seen']);
    expect(await inTenant('x', () => locks.using('seen', namesOf, { within: lease }))).toEqual(listed);
    expect(await inTenant('y', () => locks.revoke('seen', { reason: 'test', force: true }))).toBe(false);
    expect(await inTenant('x', () => locks.revoke('seen', { reason: 'test', force: true }))).toBe(true);
    await lease.release();
    await inTenant('x', () =>
      locks.using('mine', async (own) => {
        expect(locks.current('mine')).toBe(own);
        expect(inTenant('y', () => locks.current('mine'))).toBeUndefined();
      }),
    );
    const elected = await new Promise<Lease>((resolve) => {
      const leader = inTenant('y', () =>
        locks.lead('chief', {
          onElected: async (led) => {
            resolve(led);
            void leader.stop();
          },
        }),
      );
    });
    expect(namesOf(elected)).toEqual(['tenant:y:chief']);
  });

  it('lets nothing run when it throws, or when it makes no name', async () => {
    let ran = 0;
    const work = (): number => (ran += 1);
    for (const [, way] of WAYS)
      expect(await failureOf(way(locks, work))).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringMatching(/part 2 was undefined/),
      });
    for (const made of [undefined, '', 'x:undefined', Promise.resolve('x')]) {
      const odd = createLockService({ ...QUIET, nameOf: () => made as string });
      for (const [, way] of WAYS)
        expect(await failureOf(way(odd, work))).toMatchObject({
          code: 'LOCK_USAGE',
          message: expect.stringMatching(/^The function given as option nameOf was called for 'a': /),
        });
      expect(await failureOf(odd.inspect('a'))).toMatchObject({ code: 'LOCK_USAGE' });
      await odd.close();
    }
    expect(ran).toBe(0);
  });

  it('is not asked for a name that is none, and is refused unless it is a function', async () => {
    for (const name of ['', 'order:undefined', undefined as unknown as string])
      expect(await failureOf(inTenant('x', () => locks.acquire(name)))).toMatchObject({ code: 'LOCK_USAGE' });
    for (const make of [
      () => locks.mutex(''),
      () => locks.semaphore('a', 0),
      () => locks.latch('null'),
      () => locks.allOf([]),
    ])
      expect(make).toThrow(expect.objectContaining({ code: 'LOCK_USAGE' }));
    expect(() => createLockService({ ...QUIET, nameOf: 'tenant' as never })).toThrow(
      /option nameOf takes a function that returns the name to lock; it was 'tenant'/,
    );
  });
});
