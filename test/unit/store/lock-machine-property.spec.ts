import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { applyOperation, emptyState, expiryOf } from '../../../lib/store/lock-machine.js';
import type { LockNotice } from '../../../lib/store/lock-operation.js';
import { HistoryClients } from '../../support/history-clients.js';
import { isHeard, lockHistories, type LockHistory } from '../../support/lock-history.js';
import { copyOf, LockLedger } from '../../support/lock-ledger.js';

const START = 1_700_000_000_000_000;
const RUNS = { numRuns: 2_000 };

/** Runs a history on the machine; `each` sees every step, and what the same operation again would do. */
function run(history: LockHistory, jumps: boolean): void {
  const ledger = new LockLedger();
  const clients = new HistoryClients(history);
  let [state, time, offset, forward] = [emptyState(), 0, START, 0];
  for (const [at, step] of history.steps.entries()) {
    time += clients.pause(step, state, time + offset);
    // "While the jumps within one lease add up to less than the guard": here, within one history.
    const jump = step.jump > 0 && forward + step.jump >= 500_000 ? 0 : step.jump;
    if (jump > 0) forward += jump;
    offset += jump;
    const now = time + offset;
    if (expiryOf(state, 0, history.fenceMemory) <= now) state = emptyState();
    const before = copyOf(state);
    const operation = clients.operation(step, state, now);
    const notices: LockNotice[] = [];
    const answer = applyOperation(state, operation, now, (notice) => {
      const heard = isHeard(history, notice.id, at);
      if (heard) notices.push(notice);
      return heard || !history.counted;
    });
    ledger.check({ before, operation, answer, notices, after: state, now }, time, jumps);
  }
}

describe('the machine, over random histories', () => {
  it('keeps every promise, the order of the queue and the growth of fences', () => {
    fc.assert(
      fc.property(lockHistories(false), (history) => run(history, false)),
      RUNS,
    );
  });

  it('keeps every promise while the clock jumps by less than the guard forward, or by anything back', () => {
    fc.assert(
      fc.property(lockHistories(true), (history) => run(history, true)),
      RUNS,
    );
  });

  it('gives a repeated operation no further effect on anybody else', () => {
    fc.assert(
      fc.property(lockHistories(false), (history) => {
        const state = emptyState();
        const clients = new HistoryClients(history);
        let now = START;
        for (const [at, step] of history.steps.entries()) {
          now += clients.pause(step, state, now);
          const operation = clients.operation(step, state, now);
          const push = ({ id }: LockNotice) => isHeard(history, id, at) || !history.counted;
          const answer = applyOperation(state, operation, now, push);
          const again = copyOf(state);
          applyOperation(again, operation, now, push);
          const others = ({ holders, queue, ...rest }: typeof state) => {
            const id = 'id' in operation ? operation.id : '';
            return { ...rest, holders, queue: queue.filter((waiter) => waiter.id !== id) };
          };
          // Asking for the last time ends a place; who renews what it does not hold yet may hold it then; and
          // an operator who revokes twice means two holders.
          const once =
            (operation.kind === 'acquire' && operation.wait === 0) ||
            answer.outcome === 'lost' ||
            operation.kind === 'revoke';
          if (!once) deepStrictEqual(others(again), others(state));
        }
      }),
      RUNS,
    );
  });
});
