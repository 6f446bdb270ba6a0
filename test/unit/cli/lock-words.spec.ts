import { card, row } from '../../../lib/cli/lock-words.js';
import type { LockReport } from '../../../lib/locks/inspector.js';

describe('the words about a lock', () => {
  const at = new Date('2026-11-29T10:00:00Z');
  const holder = {
    ...({ host: 'web-1', pid: 7, kind: 'mutex', units: 2 ** 30, remaining: 900 } as const),
    since: new Date(at.getTime() - 1_000),
    fences: [5, 9] as const,
  };
  const report = (mayLinger: object): LockReport =>
    ({ name: 'stock', key: 'lock:stock', at, holders: [{ ...holder, ...mayLinger }], queue: [] }) as never;

  it('tell a lock that may only be kept from one that somebody works under for sure', () => {
    expect(row(report({ mayLinger: true }))).toContain('web-1:7 (may linger)');
    expect(card(report({ mayLinger: true })).join('\n')).toContain('perhaps nobody works under it');
    expect(row(report({}))).not.toContain('linger');
    expect(card(report({})).join('\n')).not.toContain('perhaps');
  });
});
