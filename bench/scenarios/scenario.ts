import type { Table } from '../measure/table.js';
import type { RoundTerms } from '../measure/rounds.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';

/** Something that is measured. */
export interface Scenario {
  readonly id: string;
  /** Measures the same with and without `--rtt`; false when a delay would make no sense. */
  run(fixture: BenchFixture): Promise<Table[]>;
}

/** The rounds that the command line asks for; fewer and shorter when it has to be quick. */
export function terms({ options }: BenchFixture, patience = 12_000): RoundTerms {
  return options.quick
    ? { rounds: options.rounds, warmUps: 1, patience: 3_000 }
    : { rounds: options.rounds, warmUps: 1, patience };
}
