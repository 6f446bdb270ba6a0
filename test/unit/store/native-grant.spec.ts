import { WHOLE } from '../../../lib/store/lock-machine.js';
import type { AcquireOperation } from '../../../lib/store/lock-operation.js';
import { dated, grantOf, takenState, tighter } from '../../../lib/store/native-grant.js';

const MS = 1_000;
const NOW = 1_764_000_000_000_000;

/** Asks for a whole mutex for ten seconds. */
const ask = (more: Partial<AcquireOperation> = {}): AcquireOperation => ({
  ...{ kind: 'acquire', id: 'A.1', units: WHOLE, capacity: WHOLE, identity: 'host:1', seal: 'seal' },
  ...{ ttl: 10_000 * MS, guard: 500 * MS, block: 10_000 * MS, wait: 0, subscribed: true },
  ...more,
});
/** The clock showed NOW at some moment between 100 and 101 ms of ours. */
const SAMPLE = { sentAt: 100, receivedAt: 101, time: NOW };

describe('a hold that whoever asks for it has dated', () => {
  it('counts from the latest time that the clock can show, and reserves fences from the earliest on', () => {
    const hold = dated(ask(), SAMPLE, 201)!;
    expect(hold.at).toBe(NOW + 101 * MS * 1.01);
    expect(hold.first).toBe(NOW + 100 * MS * 0.99);
    expect(hold.until).toBe(hold.at + 10_500 * MS);
    expect(hold.last).toBe(hold.at + 10_000 * MS - 1);
    expect(takenState(ask(), hold)).toMatchObject({
      ...{ capacity: WHOLE, fence: hold.last, queue: [] },
      holders: [{ id: 'A.1', first: hold.first, last: hold.last, deadline: hold.until, span: 10_500 * MS }],
    });
  });

  it.each([
    ['a permit or a reader', ask({ units: 1 })],
    ['a semaphore', ask({ units: 3, capacity: 3 })],
    ['who holds something meanwhile', ask({ holding: [] })],
    ['a block that may end before the fence', ask({ block: 1_000 * MS })],
  ])('is not made for %s', (_, op) => {
    expect(dated(op, SAMPLE, 201)).toBeUndefined();
  });

  it('is not made by a sample of long ago, or by none', () => {
    expect(dated(ask(), SAMPLE, 601)).toBeDefined();
    expect(dated(ask(), SAMPLE, 602)).toBeUndefined();
    expect(dated(ask(), undefined, 201)).toBeUndefined();
  });

  it('is believed with the time of its own transaction as the fence', () => {
    const hold = dated(ask(), SAMPLE, 201)!;
    const answer = grantOf(hold, NOW + 130 * MS, 231);
    expect(answer).toMatchObject({ outcome: 'granted', first: NOW + 130 * MS, last: hold.last });
    expect(answer).toMatchObject({ contended: false, done: false });
  });

  it('is spent when the clock shows more than it can: it has stepped, and the hold ends too early', () => {
    const hold = dated(ask(), SAMPLE, 201)!;
    const latest = hold.at + (30 * 1.01 + 2) * MS;
    expect(grantOf(hold, latest, 231).outcome).toBe('granted');
    expect(grantOf(hold, latest + 1, 231).outcome).toBe('gone');
  });

  it('is spent when its fence lies behind those that it reserves', () => {
    const hold = dated(ask({ ttl: 100 * MS, block: 100 * MS }), SAMPLE, 201)!;
    expect(grantOf(hold, hold.last, 401).outcome).toBe('granted');
    expect(grantOf(hold, hold.last + 1, 401).outcome).toBe('gone');
  });

  it('is dated by the sample that says most', () => {
    const wide = { sentAt: 110, receivedAt: 150, time: NOW };
    expect(tighter(SAMPLE, wide, 200)).toBe(SAMPLE);
    expect(tighter(wide, SAMPLE, 200)).toBe(SAMPLE);
    // A percent of the time since then is not known either.
    const narrow = { sentAt: 598, receivedAt: 600, time: NOW };
    expect(tighter(SAMPLE, narrow, 600)).toBe(narrow);
    expect(tighter(SAMPLE, wide, 602)).toBe(wide);
    expect(tighter(undefined, wide, 602)).toBe(wide);
    expect(tighter(wide, undefined, 602)).toBe(wide);
  });
});
