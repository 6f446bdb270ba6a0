import { arenaForTests, portOf } from '../support/arena.js';
import { abortOf, failureOf, pass, until } from '../support/eventually.js';

describe('answers that are lost or late', () => {
  const arena = arenaForTests();

  it('the grant’s reply is lost: the attempt is granted when it asks again, with the same fence', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    proxy.dropReply();
    const lease = await locks.acquire('x', { wait: '5s' });
    expect(proxy.links).toHaveLength(2);
    expect((await arena.state('x')).holders[0]?.first).toBe(lease.fence);
    expect((await arena.state('x')).holders).toHaveLength(1);
    expect(await lease.release()).toBe('released');
  });

  it('the grant’s reply is lost for a caller who asks once: the same question over the next connection is the answer', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    proxy.dropReply();
    const lease = await locks.tryAcquire('x');
    expect(proxy.links).toHaveLength(2);
    expect((await arena.state('x')).holders).toMatchObject([{ first: lease?.fence }]);
    expect(await lease?.release()).toBe('released');
  });

  it('the grant’s reply is lost twice for a caller who asks once: the key is free within a round trip', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    proxy.dropReply();
    proxy.leadTo(1);
    expect(await failureOf(locks.tryAcquire('x'))).toMatchObject({ code: 'LOCK_STORE' });
    proxy.leadTo(portOf(arena.server));
    await using _next = await arena.open().acquire('x', { wait: 5_000 });
  });

  it('the release’s reply is lost: it is sent again and has the same answer', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    const lease = await locks.acquire('x');
    proxy.dropReply();
    expect(await lease.release()).toBe('released');
    expect(proxy.links).toHaveLength(2);
  });

  it('the renewal’s reply is lost: that is no loss', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    const lease = await locks.acquire('x', { ttl: 400 });
    proxy.dropReply();
    await until('it is lost', () => proxy.links.length === 2);
    expect(lease.held).toBe(true);
    await pass(600);
    expect(lease.held).toBe(true);
    expect(await lease.release()).toBe('released');
  });

  it('acquire gives up while its answer is on the way: the key is free when the answer is here', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    proxy.delay({ down: 300 });
    const controller = new AbortController();
    const waiting = failureOf(locks.acquire('x', { signal: controller.signal }));
    await until('it is granted at the server', async () => (await arena.state('x')).holders.length === 1);
    controller.abort();
    expect(await waiting).toMatchObject({ reason: 'aborted' });
    await using _next = await arena.open().acquire('x', { wait: 1_000 });
  });

  it('an answer later than the lease is no grant', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    proxy.delay({ down: 150 });
    expect(await failureOf(locks.acquire('x', { ttl: 100, wait: 300 }))).toMatchObject({
      code: 'LOCK_STORE',
    });
    proxy.pass();
  });

  it('the renewals fail until the deadline: the signal says so, and nothing is rejected unheard', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    const lease = await locks.acquire('x', { ttl: 400 });
    proxy.leadTo(1);
    proxy.reset();
    const left = lease.remaining;
    const start = performance.now();
    expect(await failureOf(lease.renew())).toMatchObject({ code: 'LOCK_STORE' });
    expect(lease.held).toBe(true);
    expect(await abortOf(lease.signal)).toMatchObject({ reason: 'expired' });
    expect(performance.now() - start).toTakeLessThan(left + 20, arena.lag.max);
    proxy.leadTo(portOf(arena.server));
  });

  it('the connection is lost under a renewal: it is sent again over the next one', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    const lease = await locks.acquire('x', { ttl: 600 });
    proxy.reset();
    await lease.renew();
    await pass(800);
    expect(lease.held).toBe(true);
    expect(await lease.release()).toBe('released');
  });

  it('black-holed connection: the signal comes at the deadline, before anybody else is granted', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    const lease = await locks.acquire('x', { ttl: 500 });
    const next = arena.open().acquire('x', { wait: 5_000 });
    await arena.queued('x');
    proxy.blackHole();
    let lostAt = 0;
    lease.signal.addEventListener('abort', () => (lostAt = performance.now()));
    const granted = await next;
    expect(lease.held).toBe(false);
    expect(lostAt).toBeGreaterThan(0);
    expect(lostAt).toBeLessThan(performance.now());
    proxy.pass();
    await granted.release();
  });

  it('half-open connection: locks work again within seconds, though nobody ends the connection', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    proxy.blackHole('both', () => true); // those that are there; new ones pass
    const start = performance.now();
    const lease = await locks.acquire('x', { wait: 10_000 });
    expect(performance.now() - start).toTakeLessThan(4_000, arena.lag.max);
    await lease.release();
  });
});
