import type { Fixture } from './locks/fixture.js';

type Parts = Readonly<Record<string, (fixture: Fixture) => void>>;

/**
 * Runs the parts of a contract, each in a `describe` of its title. What a topology or a server cannot change needs no
 * server of that kind to be shown: a spec names the parts that can differ there, and gets all of them when
 * WHOLE_CONTRACTS is 1, as in `npm run test:servers`.
 */
export function describeParts<P extends Parts>(
  parts: P,
  fixture: Fixture,
  differing: readonly (keyof P & string)[] | undefined,
): void {
  const whole = differing === undefined || process.env['WHOLE_CONTRACTS'] === '1';
  for (const title of Object.keys(parts))
    if (whole || differing.includes(title)) describe(title, () => parts[title]?.(fixture));
}
