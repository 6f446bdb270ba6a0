import { Child } from '../../support/child.js';

describe('a locked method that plans its next run inside itself', () => {
  it('keeps nothing of the runs before, and takes no longer for the last ones', async () => {
    const child = new Child('test/support/planned-runs.ts', '20000'); // docs/kinds.md has the figures of 100 000
    expect(await child.exited).toBe(0);
    const [, grown, factor] = /runs 20000, grown by (-?\d+) bytes, slower by a factor of ([\d.]+)\./
      .exec(child.said)
      ?.map(Number) ?? [NaN, NaN, NaN];
    expect(grown).toBeLessThan(1_000_000);
    // Other tests run beside it; the times of runs that walk through all those before grow tenfold.
    expect(factor).toBeLessThan(3);
  }, 60_000);
});
