import { Stage, type OpenLocks } from './locks/stage.js';
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
  const stage = new Stage(open);
  beforeAll(() => stage.build());
  beforeEach(() => stage.begin());
  afterEach(() => stage.end());
  afterAll(() => stage.close());

  describe('re-entry', () => reentryContract(stage));
  describe('re-entry at its edges', () => reentryEdgesContract(stage));
  describe('a read-write lock', () => readWriteContract(stage));
  describe('a semaphore', () => semaphoreContract(stage));
  describe('a countdown latch', () => latchContract(stage));
  describe('several locks', () => allOfContract(stage));
  describe('work that is done once', () => onceContract(stage));
  describe('a leader', () => leadContract(stage));
  describe('the terms of holding', () => termsContract(stage));
}
