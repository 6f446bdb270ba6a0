import { Fixture, type OpenLocks } from './locks/fixture.js';
import { allOfContract } from './kinds/all-of.js';
import { leadContract } from './kinds/lead.js';
import { latchContract } from './kinds/latch.js';
import { onceContract } from './kinds/once.js';
import { readWriteContract } from './kinds/read-write.js';
import { reentryEdgesContract } from './kinds/re-entry-edges.js';
import { reentryContract } from './kinds/re-entry.js';
import { semaphoreContract } from './kinds/semaphore.js';
import { termsContract } from './kinds/terms.js';

/** What each kind of lock promises on every store. `open` opens services at one and the same store. */
export function kindsContract(open: OpenLocks): void {
  const fixture = new Fixture(open);
  beforeAll(() => fixture.build());
  beforeEach(() => fixture.begin());
  afterEach(() => fixture.end());
  afterAll(() => fixture.close());

  describe('re-entry', () => reentryContract(fixture));
  describe('re-entry at its edges', () => reentryEdgesContract(fixture));
  describe('a read-write lock', () => readWriteContract(fixture));
  describe('a semaphore', () => semaphoreContract(fixture));
  describe('a countdown latch', () => latchContract(fixture));
  describe('several locks', () => allOfContract(fixture));
  describe('work that is done once', () => onceContract(fixture));
  describe('a leader', () => leadContract(fixture));
  describe('the terms of holding', () => termsContract(fixture));
}
