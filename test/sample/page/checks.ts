import { isDeepStrictEqual } from 'node:util';

/** Counts what holds, and says what does not. */
export class Checks {
  passed = 0;
  failed = 0;

  equal(what: string, seen: unknown, wanted: unknown): void {
    this.holds(what, isDeepStrictEqual(seen, wanted), { seen, wanted });
  }

  holds(what: string, true_: boolean, seen: unknown): void {
    if (true_) this.passed += 1;
    else this.fails(what, seen);
  }

  fails(what: string, seen: unknown): void {
    this.failed += 1;
    console.log(`  FAILED ${what}:`, seen);
  }

  async part(what: string, run: () => Promise<void>): Promise<void> {
    const began = performance.now();
    const before = this.failed;
    await run();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${this.failed === before ? 'ok' : 'FAILED'}  ${what} (${seconds} s)`);
  }
}
