import type { WriteLease } from '../../../lib/locks/lock.js';
import { failureOf } from '../../support/eventually.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate } from './gate.js';

const usage = { code: 'LOCK_USAGE' };
const text = 'row 4711, “ü” 100 % #@';

export function noteContract(fixture: Fixture): void {
  it('is read by the next holder, in whatever way it gets the lock', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    expect(lease.previous).toBeUndefined();
    await lease.note(text);
    expect(lease.previous).toBeUndefined(); // what was there when it was granted
    const waiting = two.acquire(name); // by a notice
    await fixture.queued(1);
    await lease.release();
    const pushed = await waiting;
    expect(pushed.previous).toBe(text);
    await pushed.release();
    const asked = await one.acquire(name); // by an answer
    expect(asked.previous).toBe(text);
    const beside = one.using(name, ({ previous }) => previous); // from caller to caller
    await asked.note('row 4712');
    await asked.release();
    expect(await beside).toBe('row 4712');
    const given = await one.using(name, (giver) => giver.handOver()); // by its hand
    const resumed = await two.resume(given);
    expect(resumed.previous).toBe('row 4712');
    await resumed.release();
  });

  it('outlives a lease that ends by itself or is taken away', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name, { ttl: 100, renew: false });
    await lease.note(text);
    const next = await two.acquire(name, { wait: 2_000 });
    expect(next.previous).toBe(text);
    await next.note('after it');
    await one.revoke(name, { reason: 'test', force: true });
    const last = await one.acquire(name);
    expect(last.previous).toBe('after it');
    await last.release();
  });

  it('stays until somebody replaces it or takes it back', async () => {
    const { one, two, name } = fixture;
    await one.using(name, (lease) => lease.note(text));
    for (const locks of [two, one]) await locks.using(name, ({ previous }) => expect(previous).toBe(text));
    await two.using(name, async (lease) => {
      await lease.note('');
      await lease.note('second');
      await lease.note('third');
    });
    await one.using(name, async (lease) => {
      expect(lease.previous).toBe('third');
      await lease.note('');
    });
    await one.using(name, ({ previous }) => expect(previous).toBeUndefined());
    await two.using(name, ({ previous }) => expect(previous).toBeUndefined());
  });

  it('is left through an entry as well, and is that of the lease', async () => {
    const { one, two, name } = fixture;
    await one.using(name, (lease) => lease.note(text));
    await one.using(name, (lease) =>
      lease.using(async (entered) => {
        expect(entered.previous).toBe(text);
        await entered.note('entered');
      }),
    );
    await two.using([name], async (lease) => {
      expect(lease.previous).toBe('entered');
      await lease.note('of a list');
    });
    await one.using(name, ({ previous }) => expect(previous).toBe('of a list'));
  });

  it('is read by readers, and left only by who is alone', async () => {
    const { one, name } = fixture;
    const { read, write } = one.readWrite(name);
    await one.using(name, (lease) => lease.note('before'));
    await write.using(async (lease) => {
      await lease.note(text);
      const reader = await lease.downgrade();
      expect(reader.previous).toBe(lease.previous);
      expect(await failureOf(lease.note('reader'))).toMatchObject(usage);
      expect(await failureOf(reader.note('reader'))).toMatchObject(usage);
    });
    await read.using(async (lease) => {
      expect(lease.previous).toBe(text);
      expect(await failureOf(lease.note('reader'))).toMatchObject({
        ...usage,
        message: expect.stringContaining('may be held by several at a time') as string,
      });
    });
    await one.semaphore(fixture.another(), 2).using(async (lease) => {
      expect(await failureOf(lease.note('permit'))).toMatchObject(usage);
    });
    const other = fixture.another();
    await one.allOf([name, other]).using(async (lease) => {
      expect(() => lease.previous).toThrow(/previous is for a lease of one name/);
      expect(await failureOf(lease.note('both'))).toMatchObject(usage);
    });
  });

  it('has up to 1024 bytes', async () => {
    const { one, two, name } = fixture;
    const longest = 'ü'.repeat(512);
    await one.using(name, async (lease) => {
      await lease.note(longest);
      expect(await failureOf(lease.note(`${longest}.`))).toMatchObject({
        ...usage,
        message: expect.stringContaining('0 to 1024 bytes; it was one of 1025 bytes') as string,
      });
      expect(await failureOf(lease.note(7 as never))).toMatchObject(usage);
    });
    await two.using(name, ({ previous }) => expect(previous).toBe(longest));
  });

  it('cannot be left by who has lost the lock, and leaves what is there', async () => {
    const { one, two, name } = fixture;
    const lease = (await one.acquire(name)) as WriteLease;
    await lease.note(text);
    await two.revoke(name, { reason: 'test', force: true });
    const [gate, entered] = [new Gate(), new Gate()];
    const next = two.using(name, ({ previous }) => {
      entered.open();
      return gate.opened.then(() => previous);
    });
    await entered.opened;
    expect(await failureOf(lease.note('late'))).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked' });
    gate.open();
    expect(await next).toBe(text);
    await two.using(name, ({ previous }) => expect(previous).toBe(text));
  });
}
