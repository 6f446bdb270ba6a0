import type { Role } from '../contenders/contender.js';
import type { Row, Sample } from './table.js';

/** Someone who is measured, round by round. */
export interface Runner {
  readonly id: string;
  readonly label: string;
  readonly role: Role;
  sample(): Promise<Sample>;
}

/** How often, and how long for one peer or rival at most: who is slower than that has fewer rounds. */
export interface RoundTerms {
  readonly rounds: number;
  readonly warmUps: number;
  /** Milliseconds. */
  readonly patience: number;
}

/** Each in turn, round after round, so that what the machine does besides hits all of them. */
export async function interleaved(runners: readonly Runner[], terms: RoundTerms): Promise<Row[]> {
  const spent = new Map<Runner, number>();
  const rows = runners.map(({ id, label, role }) => ({ id, label, role, samples: [] as Sample[] }));
  for (let round = -terms.warmUps; round < terms.rounds; round += 1) {
    for (const step of runners.keys()) {
      const index = (step + round + terms.warmUps) % runners.length; // who comes first changes
      const [runner, row] = [runners[index], rows[index]];
      if (!runner || !row) continue;
      const before = spent.get(runner) ?? 0;
      const others = runner.role === 'peer' || runner.role === 'rival';
      if (others && before > terms.patience && row.samples.length > 0) continue;
      const start = performance.now();
      const sample = await runner.sample();
      spent.set(runner, before + performance.now() - start);
      if (round >= 0) row.samples.push(sample);
    }
  }
  return rows;
}
