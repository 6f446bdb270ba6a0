import type { Clock } from '../base/clock.js';
import type { Lines } from '../line/lines.js';
import type { HeldLeases } from './held-leases.js';
import type { NamedLease } from './lease-handle.js';
import type { LockSettings } from './lock-settings.js';
import type { SelfWaitHints } from './self-wait-hints.js';

/** What the locks of one registration share. Two leases with the same one are of the same registration. */
export interface LockContext {
  readonly line: Lines;
  readonly settings: LockSettings;
  readonly held: HeldLeases<NamedLease>;
  readonly clock: Clock;
  readonly hints: SelfWaitHints;
}
