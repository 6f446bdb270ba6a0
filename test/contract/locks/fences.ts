import { pass, until } from '../../support/eventually.js';
import type { Fixture } from './fixture.js';

export function fenceContract(fixture: Fixture): void {
  it('are safe integers of 16 digits', async () => {
    await using lease = await fixture.one.acquire(fixture.name);
    expect(Number.isSafeInteger(lease.fence)).toBe(true);
    expect(String(lease.fence)).toMatch(/^\d{16}$/);
  });

  it('grow from holder to holder inside a process and between services', async () => {
    const fences: number[] = [];
    const work = Array.from({ length: 40 }, (_, index) =>
      (index % 2 ? fixture.one : fixture.two).using(fixture.name, async ({ fence }) => {
        fences.push(fence);
        if (index % 5 === 0) await pass(1);
      }),
    );
    await Promise.all(work);
    expect(fences).toHaveLength(40);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
  });

  it('grow over release, expiry, revocation and forced revocation', async () => {
    const fences: number[] = [];
    const take = async (ttl = 10_000) => {
      const lease = await fixture.one.acquire(fixture.name, { ttl, renew: false });
      fences.push(lease.fence);
      return lease;
    };
    await (await take()).release();
    const expired = await take(100);
    await until('the lease is over', () => !expired.held);
    const revoked = await take();
    await fixture.two.revoke(fixture.name, { reason: 'test' });
    await revoked.release();
    await take();
    await fixture.two.revoke(fixture.name, { reason: 'test', force: true });
    const beside = await fixture.two.acquire(fixture.name);
    fences.push(beside.fence);
    await beside.release();
    await (await take()).release();
    expect(fences).toHaveLength(6);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
  });

  it('are told by inspect: the last one, and those that the holder may use', async () => {
    const first = await fixture.one.acquire(fixture.name);
    await first.release();
    expect((await fixture.report()).fence).toBe(first.fence);
    await using second = await fixture.one.acquire(fixture.name);
    const [holder] = (await fixture.report()).holders;
    expect(holder?.fences[0]).toBe(second.fence);
    expect(holder?.fences[1]).toBeGreaterThanOrEqual(second.fence);
  });
}
