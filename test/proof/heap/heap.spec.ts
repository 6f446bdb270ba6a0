import { Child } from '../../support/child.js';

describe('the heap', () => {
  // A short form of npm run test:heap: forty bytes that stay of each call would show.
  it('does not grow by calls of a locked method, be its lock free, waited for, or busy', async () => {
    const child = new Child('test/proof/heap/main.ts', '20000', '5000');
    const code = await child.exited;
    expect([code, child.said]).toEqual([0, expect.stringMatching(/^(.+: grown by .+\n){4}$/)]);
    for (const [, bytes] of child.said.matchAll(/grown by (-?\d+) bytes/g))
      expect(Number(bytes)).toBeLessThan(800_000);
  }, 120_000);
});
