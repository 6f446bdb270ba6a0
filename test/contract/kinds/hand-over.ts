import type { LockLostError, LockUsageError } from '../../../lib/base/errors.js';
import type { Lease, WriteLease } from '../../../lib/locks/lock.js';
import { failureOf } from '../../support/eventually.js';
import type { Fixture } from '../locks/fixture.js';
import { HeardEvents } from '../../support/heard-events.js';
import { Gate } from './gate.js';

const taken = { code: 'LOCK_LOST', reason: 'taken' };
const released = { code: 'LOCK_LOST', reason: 'released' };
const usage = { code: 'LOCK_USAGE' };

export function handOverContract(fixture: Fixture): void {
  it('goes on in another process, with a larger fence, and nobody gets in between', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    const text = await lease.handOver();
    expect([await one.tryAcquire(name), await two.tryAcquire(name)]).toEqual([undefined, undefined]);
    const next = await two.resume(text);
    expect(next).toMatchObject({ names: [name], held: true });
    expect(next.fence).toBeGreaterThan(lease.fence);
    expect(await one.tryAcquire(name)).toBeUndefined();
    expect(await next.release()).toBe('released');
    await (await one.acquire(name, { wait: 1_000 })).release();
  });

  it('ends the lease of the giver and begins another one for whoever listens', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name, { label: 'giver' });
    const fence = Number(lease.fence);
    using heard = new HeardEvents({ plain: ['granted', 'released', 'lost'], traced: false });
    const text = await lease.handOver();
    const next = await two.resume(text, { label: 'taker' });
    await next.release();
    expect(heard.orderOf(name)).toEqual(['released', 'granted', 'released']);
    expect(heard.of('released', name)).toMatchObject([{ fence, label: 'giver' }, { fence: next.fence }]);
    expect(heard.of('granted', name)).toMatchObject([
      { fence: next.fence, label: 'taker', handedOff: false, waited: expect.any(Number) as number },
    ]);
  });

  it('is resumed once, however often a queue delivers the text', async () => {
    const { one, two, name } = fixture;
    const text = await (await one.acquire(name)).handOver();
    const tries = await Promise.allSettled([two.resume(text), one.resume(text), two.resume(text)]);
    const [lease] = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const refused = tries.flatMap((each) =>
      each.status === 'rejected' ? [each.reason as LockLostError] : [],
    );
    expect(refused).toEqual([expect.objectContaining(taken), expect.objectContaining(taken)]);
    expect(await failureOf(two.resume(text))).toMatchObject(taken);
    expect(lease!.held).toBe(true);
    await lease!.release();
    expect(await failureOf(one.resume(text))).toMatchObject({ ...taken, lockName: name });
    expect(refused[0]!.message).toContain('somebody has resumed it already');
  });

  it('is over for the giver when the text is given, without a loss', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    const { signal } = lease;
    const text = await lease.handOver();
    expect(lease).toMatchObject({ held: false, remaining: 0 });
    expect(signal.aborted).toBe(false);
    expect(await failureOf(lease.renew())).toMatchObject(released);
    expect(await failureOf(lease.handOver())).toMatchObject(released);
    expect(await failureOf(lease.note('late'))).toMatchObject(released);
    expect(await failureOf(lease.using(() => 1))).toMatchObject(released);
    expect(() => lease.assertHeld()).toThrow(
      /was handed over \d+ ms after it was granted\. Whoever resumes it goes on/,
    );
    expect([await lease.release(), await lease.release()]).toEqual(['released', 'released']);
    const next = await two.resume(text); // these have freed nothing
    await next.release();
  });

  it('has a larger fence than all that its process has given out, and will', async () => {
    const { one, two, name } = fixture;
    const gate = new Gate();
    const fences: number[] = [];
    const first = one.using(name, () => gate.opened);
    const hops = Array.from({ length: 20 }, () => one.using(name, (lease) => void fences.push(lease.fence)));
    const last = one.acquire(name);
    gate.open();
    await Promise.all([first, ...hops]);
    const lease = await last;
    const text = await lease.handOver();
    const next = await two.resume(text);
    expect(next.fence).toBeGreaterThan(Math.max(lease.fence, ...fences));
    const again = await next.handOver();
    const third = await one.resume(again);
    expect(third.fence).toBeGreaterThan(next.fence);
    await third.release();
    await one.using(name, ({ fence }) => expect(fence).toBeGreaterThan(third.fence));
  });

  it('leaves the waiters where they are: those of its own process, and of others', async () => {
    const { one, two, name } = fixture;
    const three = fixture.open();
    const lease = await one.acquire(name);
    const order: string[] = [];
    const elsewhere = three.using(name, () => void order.push('elsewhere'));
    await fixture.queued(1);
    const local = one.using(name, () => void order.push('local'));
    const text = await lease.handOver();
    await fixture.queued(2); // the one in its own process waits at the store now
    const next = await two.resume(text);
    expect([order, (await fixture.report()).queue.length]).toEqual([[], 2]);
    await next.release();
    await Promise.all([elsewhere, local]);
    expect(order).toEqual(['elsewhere', 'local']);
  });

  it('goes to the callers of the process that resumed it afterwards, as any lock does', async () => {
    const { one, two, name } = fixture;
    const text = await (await one.acquire(name)).handOver();
    const waits = two.using(name, ({ fence }) => fence);
    await fixture.queued(1);
    const next = await two.resume(text);
    await next.release();
    expect(await waits).toBeGreaterThan(next.fence);
  });

  it('ends the work of using without a loss, and the release of that work frees nothing', async () => {
    const { one, two, name } = fixture;
    for (const options of [{}, { minHold: 200 }]) {
      const text = await one.using(
        name,
        async (lease) => {
          const given = await lease.handOver();
          expect(one.current(name)).toBeUndefined();
          return given;
        },
        options,
      );
      expect(await one.tryAcquire(name)).toBeUndefined();
      await (await two.resume(text)).release();
    }
    const error = new Error('after the hand-over');
    const failing = one.using(name, async (lease) => {
      await (await two.resume(await lease.handOver())).release();
      throw error;
    });
    expect(await failureOf(failing)).toBe(error);
  });

  it('wins over a release that comes while it is on its way', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    const giving = lease.handOver();
    expect(await lease.release()).toBe('released');
    const next = await two.resume(await giving);
    expect(next.held).toBe(true);
    await next.release();
  });

  it('is free when nobody resumes it within its ttl, and then it cannot be resumed', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name, { ttl: '10s' });
    const text = await lease.handOver({ ttl: 400 });
    const next = await two.acquire(name, { wait: 2_000 });
    expect(next.fence).toBeGreaterThan(lease.fence);
    expect(await failureOf(one.resume(text))).toMatchObject({
      ...{ code: 'LOCK_LOST', reason: 'expired', fence: lease.fence, lockName: name },
      message: expect.stringMatching(/its time was over \d+ ms ago/) as string,
    });
    await next.release();
  });

  it('has the ttl that it had, or the one of resume, and is renewed', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name, { ttl: 800 });
    const resumed = await two.resume(await lease.handOver({ ttl: '1m' }));
    expect(resumed.remaining).toBeLessThanOrEqual(800);
    expect((await fixture.report()).holders[0]!.remaining).toBeLessThanOrEqual(1_000);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    resumed.assertHeld();
    const longer = await one.resume(await resumed.handOver(), { ttl: '5m', label: 'the job' });
    expect(longer.remaining).toBeGreaterThan(200_000);
    expect((await fixture.report()).holders).toMatchObject([{ label: 'the job', kind: 'exclusive' }]);
    await longer.release();
  });

  it('can be entered and downgraded where it was resumed', async () => {
    const { one, two, name } = fixture;
    const lease = (await two.resume(await (await one.acquire(name)).handOver())) as WriteLease;
    expect(await two.using(name, (entered) => entered.fence, { within: lease })).toBe(lease.fence);
    const reader = await lease.downgrade();
    await (await one.readWrite(name).read.acquire()).release();
    await reader.release();
  });

  it('is the same for readers, permits and a lease that was downgraded', async () => {
    const { one, two, name } = fixture;
    const { read, write } = one.readWrite(name);
    const [reader, beside] = [await read.acquire(), await read.acquire()];
    const goesOn = await two.resume(await reader.handOver());
    await beside.release();
    expect(await one.tryAcquire(name)).toBeUndefined();
    expect(await failureOf((goesOn as WriteLease).downgrade())).toMatchObject(usage);
    await goesOn.release();

    const writer = await write.acquire();
    const downgraded = await writer.downgrade();
    expect(await failureOf(writer.handOver())).toMatchObject({
      ...usage,
      message: expect.stringContaining('hand over the lease that downgrade() gave') as string,
    });
    const asReader = await two.resume(await downgraded.handOver());
    await (await read.acquire()).release();
    expect(await write.tryAcquire()).toBeUndefined();
    await asReader.release();

    const other = fixture.another();
    const permits = one.semaphore(other, 3);
    const two_ = await two.resume(await (await permits.acquire({ units: 2 })).handOver());
    expect(await permits.available()).toBe(1);
    expect(await failureOf(two_.using(() => 1))).toMatchObject(usage);
    await two_.release();
    expect(await permits.available()).toBe(3);
  });

  it('tells who resumes it that an operator revoked it meanwhile, and why', async () => {
    const { one, two, name } = fixture;
    for (const force of [false, true]) {
      const text = await (await one.acquire(name)).handOver({ ttl: 500 });
      expect(await two.revoke(name, { reason: 'deploy', force })).toBe(true);
      expect(await failureOf(two.resume(text))).toMatchObject({
        ...{ code: 'LOCK_LOST', reason: 'revoked', revokeReason: 'deploy' },
      });
    }
  });

  it('is refused for a lease that was lost', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    await two.revoke(name, { reason: 'test', force: true });
    expect(await failureOf(lease.handOver())).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked' });
  });

  it('is refused by name where it has no meaning', async () => {
    const { one, name } = fixture;
    const other = fixture.another();
    const refusal = async (giving: Promise<unknown>): Promise<string> =>
      (await failureOf<LockUsageError>(giving)).message;
    await one.allOf([name, other]).using(async (lease) => {
      expect(await refusal(lease.handOver())).toMatch(
        /has the names '.*', and handOver is for a lease of one name/,
      );
    });
    await one.once(
      name,
      async (lease) => expect(await refusal(lease.handOver())).toContain('it is the lease of once()'),
      { doneTtl: 100 },
    );
    const elected = new Gate();
    const leader = one.lead(other, {
      onElected: async (lease) => {
        expect(await refusal(lease.handOver())).toContain('it is the lease of lead()');
        elected.open();
      },
    });
    await elected.opened;
    await leader.stop();
    const lease = await one.acquire(fixture.another());
    await lease.using(async (entered) => {
      expect(await refusal(entered.handOver())).toContain('is an entry of another one');
      expect(await refusal(lease.handOver())).toContain('work that has entered it is not done');
    });
    const giving = lease.handOver();
    const meanwhile = [lease.handOver(), (lease as WriteLease).downgrade(), lease.note('x')].map(refusal);
    const entering = failureOf(lease.using(() => 1));
    expect(await Promise.all(meanwhile)).toEqual([
      expect.stringContaining('that was asked for before'),
      expect.stringContaining('it is being handed over'),
      expect.stringContaining('is being handed over'),
    ]);
    expect(await entering).toMatchObject(released);
    await (await one.resume(await giving)).release();
  });

  it('goes on with one name of a list, as its fence does', async () => {
    const { one, two, name } = fixture;
    const text = await one.using([name], (lease) => lease.handOver());
    await (await two.resume(text)).release();
  });

  it('goes on under the longest name of characters that JSON escapes', async () => {
    const { one, two, name } = fixture;
    const longest = `${name}${'\u0001'.repeat(512 - name.length)}`;
    const text = await (await one.acquire(longest)).handOver();
    await (await two.resume(text)).release();
  });

  it('refuses what is no such text without showing it, and options out of range', async () => {
    const { one, name } = fixture;
    const text = await (await one.acquire(name)).handOver();
    const version = Buffer.from(JSON.stringify([2, 'a'])).toString('base64url');
    const bad = ['', 'secret', `${text}!`, text.slice(0, -9), 'a'.repeat(20_000), undefined, 7, {}, version];
    const ids = Buffer.from(text, 'base64url').toString();
    bad.push(Buffer.from(ids.replace(/^\[1,/, '[1,7,')).toString('base64url'));
    bad.push(Buffer.from(ids.replace(/,\d+\]$/, ',-1]')).toString('base64url'));
    for (const each of bad) {
      const refused = await failureOf<LockUsageError>(one.resume(each as string));
      expect(refused).toMatchObject(usage);
      expect(refused.message).not.toContain(text.slice(10, 30));
      if (each === 'secret') expect(refused.message).not.toContain('secret');
    }
    for (const options of [{ ttl: 5 }, { ttl: null }, { wait: null }, null])
      expect(await failureOf(one.resume(text, options as never))).toMatchObject(usage);
    expect(await failureOf(one.resume(text, { units: 1 } as never))).toMatchObject(usage);
    const lease = await one.resume(text);
    expect(await failureOf(lease.handOver({ ttl: '25h' }))).toMatchObject(usage);
    expect(await failureOf(lease.handOver({ wait: 1 } as never))).toMatchObject(usage);
    await lease.release();
  });

  it('does not resume after an abort, nor while its process shuts down, and the text stays good', async () => {
    const { one, name } = fixture;
    const text = await (await one.acquire(name)).handOver();
    const aborted = one.resume(text, { signal: AbortSignal.abort(new Error('enough')) });
    expect(await failureOf(aborted)).toMatchObject({ code: 'LOCK_BUSY', reason: 'aborted' });
    const closing = fixture.open();
    await closing.close();
    expect(await failureOf(closing.resume(text))).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
    await (await one.resume(text)).release();
  });

  it('survives the end of the giver', async () => {
    const { two, name } = fixture;
    const giver = fixture.open();
    const lease: Lease = await giver.acquire(name);
    const text = await lease.handOver();
    await giver.close();
    const next = await two.resume(text);
    next.assertHeld();
    await next.release();
  });
}
