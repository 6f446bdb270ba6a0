import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface BenchOptions {
  /** One minute for everything. */
  readonly quick: boolean;
  /** Compare the ratios with the bounds. */
  readonly check: boolean;
  /** The scenarios to run; all when empty. */
  readonly only: readonly string[];
  /** Milliseconds of a round trip between clients and server; 0 for none. */
  readonly rtt: number;
  readonly rounds: number;
  /** The folder of a built clone of before; then it takes the place of all others. */
  readonly before: string | undefined;
  /** Measure the locks of other ecosystems, too, where their toolchains are present. */
  readonly rivals: boolean;
}

/** @throws for an option that does not exist or makes no sense. */
export function optionsIn(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      rtt: { type: 'string', default: '0' },
      rounds: { type: 'string' },
      before: { type: 'string' },
      rivals: { type: 'boolean', default: false },
    },
  });
  const { quick, check, only, before, rivals } = values;
  const rtt = Number.parseFloat(values.rtt.replace(/ms$/, ''));
  const rounds = Number.parseInt(values.rounds ?? (before === undefined ? (quick ? '4' : '5') : '10'), 10);
  if (!(rtt >= 0) || !(rounds >= 1)) throw new Error('--rtt takes milliseconds, --rounds a number from 1.');
  return { quick, check, only, rtt, rounds, before, rivals };
}
