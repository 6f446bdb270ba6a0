import { Child } from '../../support/child.js';

describe('a process in which nothing but a lock is awaited', () => {
  const children: Child[] = [];
  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  // In memory: over Redis the connection keeps it alive, if there is one.
  it.each([
    ['lives until a busy lock is granted', 'lock', 'served\n'],
    ['lives until its wait is over', 'deadline', 'timeout\n'],
    ['lives while it waits for a latch', 'latch', 'timeout\n'],
    ['lives until it gives up a cluster that it never reached', 'cluster', 'LOCK_STORE\n'],
    ['lives until its locks are closed, beside a lease that it keeps', 'close', 'closed\n'],
    ['ends beside a campaign for the lead, which nobody awaits', 'lead', 'leads: false\n'],
    ['ends beside a lease that it keeps', 'holder', 'holds\n'],
  ])(
    '%s',
    async (_, what, said) => {
      const child = new Child('test/support/awaiting-process.ts', what);
      children.push(child);
      expect(await child.exited).toBe(0);
      expect(child.said).toBe(said);
    },
    20_000,
  );
});
