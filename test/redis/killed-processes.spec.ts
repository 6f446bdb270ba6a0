import { Child } from '../support/child.js';
import { arenaForTests } from '../support/arena.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const TTL = 400;
const GUARD = TTL / 4;

describeWithRealRedis('processes that die', () => {
  const arena = arenaForTests();
  const children: Child[] = [];
  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function start(url = arena.server.url): Promise<Child> {
    const child = new Child('test/support/lock-process.ts', url);
    children.push(child);
    await child.says('ready');
    return child;
  }

  it('a renewal is in flight at the end: the process exits, and says only that it took the lease away', async () => {
    const proxy = await arena.proxy();
    const child = await start(proxy.url);
    child.tell(`acquire x ${TTL}`);
    await child.says('granted');
    proxy.blackHole('down'); // answers never come
    const before = proxy.requests;
    await until('it renews', () => proxy.requests > before);
    const start_ = performance.now();
    child.tell('close');
    expect(await child.exited).toBe(0);
    expect(performance.now() - start_).toTakeLessThan(1_500, arena.lag.max);
    expect(child.said).toMatch(
      /^ready\ngranted\nlog: The lease of 'x' .* was released by shutdown.*\nclosed\n$/,
    );
  });

  it('the holder dies: the next one has the lock within ttl + guard', async () => {
    const holder = await start();
    holder.tell(`acquire x ${TTL}`);
    await holder.says('granted');
    const next = arena.open().acquire('x');
    await arena.queued('x');
    await holder.kill();
    const start_ = performance.now();
    await (await next).release();
    expect(performance.now() - start_).toTakeLessThan(TTL + GUARD + 100, arena.lag.max);
  });

  it('a hundred callers share one abort signal in a process: no warning of a leak', async () => {
    const child = await start();
    const lease = await arena.open().acquire('x');
    child.tell('acquire-many x 100');
    await arena.queued('x');
    await lease.release();
    await child.says('granted');
    child.tell('close');
    expect(await child.exited).toBe(0);
    expect(child.said).toBe('ready\ngranted\nclosed\n');
  });

  it('the head of the queue is killed: the queue moves', async () => {
    const lease = await arena.open().acquire('x');
    const head = await start();
    head.tell(`acquire x ${TTL}`);
    await arena.queued('x', 1);
    await arena.listening(1);
    const next = arena.open().acquire('x', { wait: 20_000 });
    await arena.queued('x', 2);
    await head.kill();
    const start_ = performance.now();
    await lease.release();
    await (await next).release();
    // The server knows that nobody hears the head any more; a head whose end is not told costs its claim window.
    expect(performance.now() - start_).toTakeLessThan(TTL + GUARD + 50, arena.lag.max);
  });
});
