import { cluster } from './cluster.js';
import { cold } from './cold.js';
import { costs } from './costs.js';
import { decorator } from './decorator.js';
import { buyers, crowd, hotName } from './hot-name.js';
import { linger } from './linger.js';
import { manyLeases } from './many-leases.js';
import { processesEmpty, processesRmw } from './processes.js';
import { rivals } from './rivals.js';
import type { Scenario } from './scenario.js';
import { serverCost } from './server-cost.js';
import { clients, parallel, uncontended, uncontendedDistant } from './uncontended.js';
import { waiting } from './waiting.js';
import { wakeUp } from './wake-up.js';

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  uncontended,
  uncontendedDistant,
  parallel,
  buyers,
  hotName,
  crowd,
  processesEmpty,
  processesRmw,
  wakeUp,
  decorator,
  serverCost,
  waiting,
  cold,
  linger,
  manyLeases,
  cluster,
];

/** Measured only when they are named: nothing is demanded of their figures. */
const ON_DEMAND: readonly Scenario[] = [clients, costs, rivals];

/**
 * Those that were named, or all; when the rivals are asked for, and nothing else is named, those where they take part.
 *
 * @throws for a name that does not exist
 */
export function chosen(names: readonly string[], withRivals = false): readonly Scenario[] {
  const all = [...SCENARIOS, ...ON_DEMAND];
  if (withRivals && names.length === 0) return [cold, rivals];
  const unknown = names.filter((name) => !all.some(({ id }) => id === name));
  if (unknown.length > 0) {
    const known = all.map(({ id }) => id).join(', ');
    throw new Error(`There is no scenario '${unknown.join(', ')}'; there are ${known}.`);
  }
  return names.length === 0 ? SCENARIOS : all.filter(({ id }) => names.includes(id));
}
