const LATE = ' as delays';
// A machine can be late in ways that no clock shows, so a time bound counts as broken when it is broken so often in a row.
const MOST_RUNS = 3;

/** What is to be said of a time bound: nothing where it was kept. All in milliseconds. */
export function overrun(what: string, took: number, most: number, ...delays: number[]): string[] {
  const [sum, parts] = [delays.reduce((a, b) => a + b, 0), delays.map((ms) => ms.toFixed(1)).join(' + ')];
  // NaN keeps no bound.
  return took <= most + sum
    ? []
    : [`${what}: ${took.toFixed(1)} ms, allowed are ${most} ms, and ${parts} ms${LATE}`];
}

/** Whether a violation is one of a time bound alone. */
export function isLate(violation: string): boolean {
  return violation.endsWith(LATE);
}

/**
 * Runs again what broke a time bound and did nothing else wrong, at most twice, and says so; .ci/run lists these lines.
 * Whatever else goes wrong counts at once.
 */
export async function runInTime<Seen>(
  what: string,
  run: () => Promise<Seen>,
  violationsOf: (seen: Seen) => readonly string[],
): Promise<Seen> {
  for (let time = 1; ; time += 1) {
    const seen = await run();
    const violations = violationsOf(seen);
    if (violations.length === 0 || !violations.every(isLate) || time === MOST_RUNS) return seen;
    console.log(`time bound broken in run ${time} of '${what}': ${violations.join('; ')}`);
  }
}
