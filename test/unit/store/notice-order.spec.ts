import { applyOperation, emptyState } from '../../../lib/store/lock-machine.js';
import type { LockNotice } from '../../../lib/store/lock-operation.js';

const NOW = 1_700_000_000_000_000;

describe('a notice', () => {
  it('of a grant goes out when the waiter holds already and waits no more', () => {
    const state = emptyState();
    const terms = { units: 1, capacity: 1, ttl: 1_000_000, guard: 0, block: 1, wait: 1_000_000 };
    const acquire = (id: string) =>
      ({ kind: 'acquire', id, ...terms, subscribed: true, seal: id, identity: 'h:1' }) as const;
    applyOperation(state, acquire('s.1'), NOW, () => true);
    applyOperation(state, acquire('s.2'), NOW + 1, () => true);
    const seen: unknown[] = [];
    const push = ({ kind, id }: LockNotice): boolean => {
      seen.push([kind, id, state.holders.map((holder) => holder.id), state.queue.length]);
      return true;
    };
    applyOperation(state, { kind: 'release', id: 's.1', used: 0, keep: 0, done: 0 }, NOW + 2, push);
    expect(seen).toEqual([['granted', 's.2', ['s.2'], 0]]);
  });
});
