import type { Clock } from '../base/clock.js';
import { observed } from '../line/lock-channels.js';

const NAME = 'rehearsal';
/** The first of them takes the lock, and the others are handed it, at once and after a turn of the event loop. */
const CALLERS = 4;

/** What a rehearsal does with locks. */
export interface RehearsedLocks {
  using(name: string, work: () => Promise<void>): Promise<void>;
  acquire(name: string): Promise<{ release(): Promise<unknown> }>;
  close(): Promise<void>;
}

/**
 * Takes and gives back a lock in memory, in the time in which a process waits for its server at the start. V8 compiles a
 * function when it is first called: without this, the first callers of a process would wait longer for that than for their
 * lock. It is left out where somebody listens to the channels, who would hear of a lock that nobody took. Never rejects.
 */
export async function rehearse(clock: Clock, openInMemory: () => RehearsedLocks): Promise<void> {
  if (observed()) return;
  const locks = openInMemory();
  const pause = (): Promise<void> => new Promise((resume) => clock.breathe(resume));
  const callers = Array.from({ length: CALLERS }, () => locks.using(NAME, pause));
  const byHand = locks.acquire(NAME).then((lease) => lease.release());
  await Promise.allSettled([...callers, byHand]); // a process that stands still for long loses leases
  await locks.close();
}
