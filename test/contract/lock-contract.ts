import { Fixture, type OpenLocks } from './locks/fixture.js';
import { closingContract } from './locks/closing.js';
import { enteringContract } from './locks/entering.js';
import { fenceContract } from './locks/fences.js';
import { holdingContract } from './locks/holding.js';
import { listingContract } from './locks/listing.js';
import { losingContract } from './locks/losing.js';
import { severalContract } from './locks/several.js';
import { takingContract } from './locks/taking.js';
import { workingContract } from './locks/working.js';

export type { OpenLocks } from './locks/fixture.js';

/** What LockService promises on every store. Two services at one and the same store; a new name for each test. */
export function lockContract(open: OpenLocks): void {
  const fixture = new Fixture(open);
  beforeAll(() => fixture.build());
  beforeEach(() => fixture.begin());
  afterEach(() => fixture.end());
  afterAll(() => fixture.close());

  describe('taking a lock', () => takingContract(fixture));
  describe('a lease', () => holdingContract(fixture));
  describe('fences', () => fenceContract(fixture));
  describe('work under a lock', () => workingContract(fixture));
  describe('entering a lock again', () => enteringContract(fixture));
  describe('several names', () => severalContract(fixture));
  describe('names in use', () => listingContract(fixture));
  describe('losing a lock', () => losingContract(fixture));
  describe('closing', () => closingContract(fixture));
}
