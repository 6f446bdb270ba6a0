import { arenaForTests } from '../support/arena.js';
import { Child } from '../support/child.js';
import { failureOf, pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { Monitor } from '../support/monitor.js';

/** Nothing else of this process runs meanwhile. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

describeWithRealRedis('an event loop that is late', () => {
  const arena = arenaForTests();

  it('makes no store failure of a busy lock: its lateness is named', async () => {
    const [holder, locks] = [arena.open(), arena.open()];
    await using _held = await holder.acquire('x');
    await locks.using('warm-up', () => undefined);
    for (const before of [60, 30]) {
      const refused = failureOf<Error & { waited: number }>(locks.acquire('x', { wait: 100 }));
      await pass(100 - before);
      block(before + 100);
      const error = await refused;
      expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
      expect(error.waited).toBeGreaterThanOrEqual(190);
      expect(error.message).toMatch(/within \d+ ms\. The event loop of this process was \d+ ms late/);
    }
  });

  it('makes no store failure of a free lock whose answer waits in the socket', async () => {
    const locks = arena.open();
    await locks.using('warm-up', () => undefined);
    for (const wait of [0, 300]) {
      await pass(5); // what is asked in one turn with a release is sent at the end of that turn
      const granted = locks.acquire('x', { wait });
      block(wait === 0 ? 1_100 : 400);
      const lease = await granted;
      expect(lease?.held).toBe(true);
      await lease?.release(); // its answer is a good sample of the server's clock, which a late one is not
    }
  });

  it('costs no connection, however long it was late', async () => {
    const locks = arena.open();
    await locks.using('warm-up', () => undefined);
    const asked = locks.inspect('x');
    setImmediate(() => block(2_500)); // after it, timers come before what waits in the socket
    await asked;
    expect(arena.warnings).toEqual([]); // it would say that Redis is gone
  });

  it('is one question for the server’s clock for a crowd that comes first', async () => {
    const asked: string[] = [];
    const monitor = await Monitor.of(arena.admin, ([command = ''], source) => {
      if (source !== 'lua') asked.push(command.toLowerCase());
    });
    const locks = arena.open();
    await Promise.all(Array.from({ length: 50 }, (_, index) => locks.using(`n${index}`, () => undefined)));
    await arena.admin.echo('end');
    await until('all was heard', () => asked.includes('echo'));
    await monitor.end();
    expect(asked.filter((command) => command === 'time')).toHaveLength(1);
  });

  it('answers no 503: 400 requests, 60 at a time, over two processes', async () => {
    const processes = [1, 2].map(() => new Child('test/support/busy-process.ts', arena.server.url));
    await Promise.all(processes.map((child) => child.says('ready')));
    for (const child of processes) child.tell('go');
    await Promise.all(processes.map((child) => child.exited));
    for (const { said } of processes) {
      const ends = JSON.parse(/\{.*\}/.exec(said)?.[0] ?? '{}') as Record<string, number>;
      expect({ ends, said }).toMatchObject({ ends: { ran: expect.any(Number) } });
      expect(Object.keys(ends).filter((end) => !['ran', 'LOCK_BUSY'].includes(end))).toEqual([]);
    }
  }, 60_000);
});
