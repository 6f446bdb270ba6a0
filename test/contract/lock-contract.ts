import { describeParts } from './contract-parts.js';
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

const PARTS = {
  'taking a lock': takingContract,
  'a lease': holdingContract,
  fences: fenceContract,
  'work under a lock': workingContract,
  'entering a lock again': enteringContract,
  'several names': severalContract,
  'names in use': listingContract,
  'losing a lock': losingContract,
  closing: closingContract,
};

/**
 * What LockService promises on every store. Two services at one and the same store; a new name for each test. `differing`
 * are the parts that matter where the store of the whole contract is reached in another way.
 */
export function lockContract(open: OpenLocks, differing?: readonly (keyof typeof PARTS)[]): void {
  const fixture = new Fixture(open);
  beforeAll(() => fixture.build());
  beforeEach(() => fixture.begin());
  afterEach(() => fixture.end());
  afterAll(() => fixture.close());

  describeParts(PARTS, fixture, differing);
}
