import { cluster } from './cluster.js';
import { costs } from './costs.js';
import { decorator } from './decorator.js';
import { buyers, crowd, hotName } from './hot-name.js';
import { manyLeases } from './many-leases.js';
import { processesEmpty, processesRmw } from './processes.js';
import type { Scenario } from './scenario.js';
import { serverCost } from './server-cost.js';
import { parallel, uncontended, uncontendedDistant } from './uncontended.js';
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
  manyLeases,
  cluster,
];

/** Measured only when they are named: nothing is demanded of their figures. */
const ON_DEMAND: readonly Scenario[] = [costs];

/** Those that were named, or all. @throws for a name that does not exist */
export function chosen(names: readonly string[]): readonly Scenario[] {
  const all = [...SCENARIOS, ...ON_DEMAND];
  const unknown = names.filter((name) => !all.some(({ id }) => id === name));
  if (unknown.length > 0) {
    const known = all.map(({ id }) => id).join(', ');
    throw new Error(`There is no scenario '${unknown.join(', ')}'; there are ${known}.`);
  }
  return names.length === 0 ? SCENARIOS : all.filter(({ id }) => names.includes(id));
}
