import type { Clock } from '../base/clock.js';
import type { ReleaseTerms, Tenure } from '../line/tenure.js';
import type { HeldLeases } from './held-leases.js';
import { LeaseHandle } from './lease-handle.js';
import type { Lease, WriteLease } from './lease.js';

/** The lease of a writer, which may go on as a reader. */
export class WriteLeaseHandle extends LeaseHandle implements WriteLease {
  /** The lease that took this one's place. */
  reading: LeaseHandle | undefined;

  constructor(
    tenure: Tenure,
    clock: Clock,
    private readonly heldLeases: HeldLeases,
  ) {
    super(tenure, clock);
  }

  async downgrade(): Promise<Lease> {
    if (this.reading) return this.reading;
    this.assertHeld();
    const { tenure, done } = this.tenure.downgrade(1);
    this.reading = new LeaseHandle(tenure, this.clock);
    this.heldLeases.exchange(this, this.reading, 'read');
    await done;
    this.reading.assertHeld();
    return this.reading;
  }

  override release(terms?: ReleaseTerms): Promise<'released' | 'expired'> {
    return this.reading ? this.reading.release(terms) : super.release(terms);
  }
}
