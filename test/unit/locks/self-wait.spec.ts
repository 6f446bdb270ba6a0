import { AsyncLocalStorage } from 'node:async_hooks';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { failureOf, pass, until } from '../../support/eventually.js';
import { Lag } from '../../support/lag.js';
import { Gate } from '../../contract/kinds/gate.js';

describe('a call that waits for a lock which its own context holds', () => {
  const request = new AsyncLocalStorage<string>();
  const said: { at: number; message: string; context: string | undefined }[] = [];
  let locks: LockService;

  beforeEach(() => {
    said.length = 0;
    locks = createLockService({
      log: { warn: (message) => said.push({ at: performance.now(), message, context: request.getStore() }) },
    });
    said.length = 0; // that it is in memory
  });
  afterEach(() => locks.close());

  it('is warned of after a second, once per name, in the context of the call', async () => {
    const lag = new Lag();
    const began = performance.now();
    await request.run('request A', () =>
      locks.using('order', () => failureOf(locks.using('order', () => 1, { wait: 1_300 }))),
    );
    expect(said).toHaveLength(1);
    expect(said[0]?.at).toBeGreaterThan(began + 990);
    expect(said[0]!.at - began).toTakeLessThan(1_000 + 100, lag.max);
    expect(said[0]?.context).toBe('request A');
    expect(said[0]?.message).toMatch(
      /^A call has waited for the lock 'order' for a second\. Its own context holds 'order'/,
    );
    expect(said[0]?.message).toMatch(/lease\.using\(work\).*within: lease.*reentrant: true/);
    await locks.using('order', () => failureOf(locks.acquire('order', { wait: 1_300 })));
    expect(said).toHaveLength(1);
    lag[Symbol.dispose]();
  });

  it('is warned of as well when an entry waits for the turn of the one that began it', async () => {
    const gate = new Gate();
    await locks.using('order', async (lease) => {
      const error = await lease.using(() => failureOf<Error>(lease.using(() => 1, { wait: 1_200 })));
      expect(error.message).toMatch(/enters through the lease that this entry was given/);
      expect(said).toHaveLength(1);
      expect(said[0]?.message).toMatch(
        /^A call has waited for the lock 'order' for a second\. Its own context works in another entry/,
      );
      // Siblings wait for each other as they should.
      said.length = 0;
      const first = lease.using(() => gate.opened);
      await failureOf(lease.using(() => 1, { wait: 1_100 }));
      gate.open();
      await first;
    });
    await locks.using('other', async (lease) => {
      await lease.using(async (entered) => {
        const inner = entered.using(() => pass(1_100));
        await entered.using(() => 1);
        await inner;
      });
    });
    expect(said).toEqual([]);
  }, 10_000);

  it('is not warned of when it is served sooner, or waits for somebody else', async () => {
    const gate = new Gate();
    let second!: Promise<string>;
    await locks.using('order', async () => {
      second = locks.using('order', () => 'served', { wait: '5s' });
      await pass(20);
    });
    expect(await second).toBe('served');
    const busy = locks.using('other', () => gate.opened);
    await locks.using('order', () => failureOf(locks.using('other', () => 1, { wait: 1_100 })));
    gate.open();
    await busy;
    expect(said).toEqual([]);
  });

  it('is not warned of when it was refused at once, for a bad option', async () => {
    await locks.using('order', async () => {
      const error = await failureOf<Error>(locks.acquire('order', { ttl: 1 }));
      expect(error.message).toMatch(/ttl/);
      await pass(1_100);
    });
    expect(said).toEqual([]);
  });
});

interface Frame {
  readonly outer: Frame | undefined;
}

describe('what runs in which context', () => {
  const request = new AsyncLocalStorage<string>();
  let locks: LockService;
  beforeEach(() => (locks = createLockService({ log: { warn: () => undefined } })));
  afterEach(() => locks.close());

  it('calls listeners of a signal in the context of whoever asked for the signal', async () => {
    const lease = await locks.acquire('y', { ttl: '1s' });
    const heard = new Promise((resolve) =>
      request.run('request B', () =>
        lease.signal.addEventListener('abort', () => resolve([request.getStore(), locks.current()?.names])),
      ),
    );
    await request.run('request A', () =>
      locks.using('x', () => locks.revoke('y', { reason: 'test', force: true })),
    );
    expect(await heard).toEqual(['request B', undefined]);
  });

  const lazy = (run: () => Promise<unknown>): PromiseLike<unknown> => ({
    then: (resolve, reject) => Promise.resolve().then(run).then(resolve, reject),
  });

  it('begins a lazy query that the work returns under its lease', async () => {
    const look = (): Promise<unknown> => Promise.resolve(locks.current('order')?.held);
    expect(await locks.using('order', () => lazy(look))).toBe(true);
    expect(await locks.using('order', async () => lazy(look))).toBe(true);
    expect(await locks.allOf(['order', 'b']).using(() => lazy(look))).toBe(true);
    expect(await locks.using('order', (lease) => lease.using(() => lazy(look)))).toBe(true);
    expect(
      await locks.using('order', () => locks.using('order', () => lazy(look), { reentrant: true })),
    ).toBe(true);
  });

  it('forgets what is over: runs that plan each other keep no chain of contexts', async () => {
    const runs = 300;
    const { contextLeases } = (
      locks as unknown as { setup: { contextLeases: { storage: AsyncLocalStorage<Frame | undefined> } } }
    ).setup;
    const depth = (): number => {
      let links = 0;
      for (let at = contextLeases.storage.getStore(); at; at = at.outer) links += 1;
      return links;
    };
    let most = 0;
    let left = runs;
    await new Promise<void>((resolve, reject) => {
      const run = (): void => {
        const done = locks.using('poll', () => {
          most = Math.max(most, depth());
          left -= 1;
          if (left > 0) setImmediate(run);
          else resolve();
        });
        done.catch(reject);
      };
      run();
    });
    await until('the last run is over', async () => (await locks.inspect('poll')).inUse === 0);
    expect(most).toBe(1);
  });

  it('forgets what is over also where each run begins the next one before it ends', async () => {
    const { contextLeases } = (
      locks as unknown as { setup: { contextLeases: { storage: AsyncLocalStorage<Frame | undefined> } } }
    ).setup;
    let most = 0;
    const last = new Gate();
    const run = (left: number): Promise<void> => {
      const begun = new Gate();
      const ended = locks.using(`poll:${left}`, async () => {
        let links = 0;
        for (let at = contextLeases.storage.getStore(); at; at = at.outer) links += 1;
        most = Math.max(most, links);
        begun.open();
        if (left > 0) await run(left - 1);
        else last.open();
      });
      ended.catch(() => undefined);
      return begun.opened; // the one that began it ends now
    };
    await run(200);
    await last.opened;
    expect(most).toBeLessThan(5);
  });
});
