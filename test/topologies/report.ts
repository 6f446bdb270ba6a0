/** Counts and prints what rounds showed. */
export class Report {
  private passed = 0;
  private failed = 0;

  count(words: string, complaints: readonly string[] = []): void {
    const good = complaints.length === 0;
    if (good) this.passed += 1;
    else this.failed += 1;
    console.log(`${good ? 'ok  ' : 'FAIL'} ${words}`);
    for (const line of complaints.slice(0, 5)) console.log(`       ${line}`);
  }

  /** What could not be tried, and why. */
  skip(words: string): void {
    console.log(`skip ${words}`);
  }

  say(words: string): void {
    console.log(`     ${words}`);
  }

  /** The exit code. */
  end(): number {
    console.log(`Tests: ${this.passed} passed, ${this.failed} failed`);
    return this.failed > 0 ? 1 : 0;
  }
}

export const ms = (value: number): string => `${value.toFixed(0)} ms`;

export function span(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)} ms`;
}
