import { claimDeadline, leaseDeadline } from '../../../lib/store/server-clock.js';

const SECOND = 1_000_000;

describe('until when a grant may be believed', () => {
  const notice = { kind: 'granted', id: 's.1', first: 1, last: 2, contended: false, done: false } as const;
  const pushed = { ...notice, until: 100 * SECOND, span: 2 * SECOND, seal: 's' };

  it('an answer counts from the time before its command was sent, less the drift', () => {
    expect(leaseDeadline(5_000, 1_000)).toBe(5_000 + 1_000 - 12);
  });

  it('a push is no evidence without a sample of the server’s clock', () => {
    expect(claimDeadline(undefined, pushed, 5_000)).toBeUndefined();
  });

  it('a push that was long under way is believed only until the server’s own deadline', () => {
    const sample = { sentAt: 1_000, receivedAt: 1_010, time: 98.5 * SECOND };
    expect(claimDeadline(sample, pushed, 2_400)).toBe(1_000 + 1_500 * 0.99);
  });

  it('a push is never believed for longer than its span after it was read', () => {
    const sample = { sentAt: 1_000, receivedAt: 1_010, time: 90 * SECOND };
    expect(claimDeadline(sample, pushed, 1_020)).toBe(leaseDeadline(1_020, 2_000));
  });
});
