import { describeParts } from './contract-parts.js';
import { Fixture, type OpenLocks } from './locks/fixture.js';
import { allOfContract } from './kinds/all-of.js';
import { handOverContract } from './kinds/hand-over.js';
import { leadContract } from './kinds/lead.js';
import { latchContract } from './kinds/latch.js';
import { lingerContract } from './kinds/linger.js';
import { noteContract } from './kinds/note.js';
import { onceContract } from './kinds/once.js';
import { readWriteContract } from './kinds/read-write.js';
import { reentryEdgesContract } from './kinds/re-entry-edges.js';
import { reentryContract } from './kinds/re-entry.js';
import { semaphoreContract } from './kinds/semaphore.js';
import { termsContract } from './kinds/terms.js';

const PARTS = {
  're-entry': reentryContract,
  're-entry at its edges': reentryEdgesContract,
  'a read-write lock': readWriteContract,
  'a semaphore': semaphoreContract,
  'a countdown latch': latchContract,
  'several locks': allOfContract,
  'work that is done once': onceContract,
  'a leader': leadContract,
  'the terms of holding': termsContract,
  'a lease that goes on elsewhere': handOverContract,
  'a note for the next holder': noteContract,
  'a hold that lingers': lingerContract,
};

/**
 * What each kind of lock promises on every store. `open` opens services at one and the same store; `differing` is as for
 * the contract of locks.
 */
export function kindsContract(open: OpenLocks, differing?: readonly (keyof typeof PARTS)[]): void {
  const fixture = new Fixture(open);
  beforeAll(() => fixture.build());
  beforeEach(() => fixture.begin());
  afterEach(() => fixture.end());
  afterAll(() => fixture.close());

  describeParts(PARTS, fixture, differing);
}
