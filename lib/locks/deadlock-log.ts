import { deadlockText } from '../line/caller.js';
import type { Deadlock } from '../line/deadlock-watch.js';
import { identityOf } from '../line/request.js';
import { type LockLog, warn } from './lock-log.js';

/** Logs a deadlock: who holds and who waits for what, what happens now, and what helps. */
export function logDeadlock(log: LockLog, { members, victim }: Deadlock): void {
  const now = victim
    ? `The wait for '${victim.waitsFor}' is ended now, so that the others go on.`
    : "Each of them waits until its wait is over; with deadlock: 'fail' one would give way.";
  const names = members.map(({ name }) => `'${name}'`).sort();
  const advice = `Take the locks in one order everywhere, or together: allOf([${names.join(', ')}]).`;
  const [first] = members;
  warn(log, 'deadlock', `${deadlockText(members)} ${now} ${advice}`, {
    ...(first && { lock: first.name, fence: first.fence }),
    ...(first?.holder && { holder: identityOf(first.holder) }),
    count: members.length,
    deadlock: members,
  });
}
