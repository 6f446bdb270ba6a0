import { Stage, type OpenLocks } from './locks/stage.js';
import { closingContract } from './locks/closing.js';
import { enteringContract } from './locks/entering.js';
import { fenceContract } from './locks/fences.js';
import { holdingContract } from './locks/holding.js';
import { listingContract } from './locks/listing.js';
import { losingContract } from './locks/losing.js';
import { severalContract } from './locks/several.js';
import { takingContract } from './locks/taking.js';
import { workingContract } from './locks/working.js';

export type { OpenLocks } from './locks/stage.js';

/** What LockService promises on every store. Two services at one and the same store; a new name for each test. */
export function lockContract(open: OpenLocks): void {
  const stage = new Stage(open);
  beforeAll(() => stage.build());
  beforeEach(() => stage.begin());
  afterEach(() => stage.end());
  afterAll(() => stage.close());

  describe('taking a lock', () => takingContract(stage));
  describe('a lease', () => holdingContract(stage));
  describe('fences', () => fenceContract(stage));
  describe('work under a lock', () => workingContract(stage));
  describe('entering a lock again', () => enteringContract(stage));
  describe('several names', () => severalContract(stage));
  describe('names in use', () => listingContract(stage));
  describe('losing a lock', () => losingContract(stage));
  describe('closing', () => closingContract(stage));
}
