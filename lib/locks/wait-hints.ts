import { AsyncResource } from 'node:async_hooks';
import type { CancelTimer, Clock } from '../base/clock.js';
import type { LockMode } from './context-leases.js';
import { type LockLog, warn } from './lock-log.js';

/** What a call waits for: a lock that is held in this mode, or another entry of the same lease. */
export type SelfWait = LockMode | 'entry';

const AFTER = 1_000;
// Names may contain ids, so there may be any number of them; after this many warnings no more are needed.
const MOST_PLACES = 1_000;

/** Warns when a call waits for a lock that its own async context holds: it may be waiting for itself. */
export class WaitHints {
  private readonly told = new Set<string>();

  constructor(
    private readonly clock: Clock,
    private readonly log: LockLog,
  ) {}

  /** Warns after a second, once per decorator (`place`) or name, unless it is cancelled before. */
  watch(name: string, mode: SelfWait, place?: string): CancelTimer {
    const key = place ?? name;
    if (this.told.has(key) || this.told.size >= MOST_PLACES) return () => undefined;
    // The log belongs to the application, so it is called in the async context of the call that the line is about.
    const tell = AsyncResource.bind(() => {
      if (this.told.has(key)) return; // another call was faster
      this.told.add(key);
      const message = `${place ?? 'A call'} has waited for the lock '${name}' for a second. ${selfWait(name, mode)}`;
      warn(this.log, 'self-wait', message, { lock: name, ...(place !== undefined && { place }) });
    });
    return this.clock.after(AFTER, tell);
  }
}

/** The advice for a call that waits for a name which its own context holds. */
export function selfWait(name: string, mode: SelfWait): string {
  if (mode === 'entry')
    return (
      `Its own context works in another entry of the lease of '${name}', so it may be waiting for itself. ` +
      'Entries of one lease take turns; a call from inside an entry enters through the lease that this entry was given.'
    );
  if (mode === 'permits')
    return `Its own context holds permits of '${name}', so it may be waiting for itself: take all units at once.`;
  return (
    `Its own context holds '${name}', so it may be waiting for itself. If it is a nested call, let it enter with ` +
    'lease.using(work) or the option within: lease; reentrant: true lets in whatever runs in this context. ' +
    'If a queue or an emitter runs it here for another caller, it is right to wait.'
  );
}
