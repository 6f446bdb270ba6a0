// Failovers, migrations and TLS with real processes:
// npm run test:topologies -- [--quick] [--topology sentinel] [--row 26] [--rounds 20] [--only word]
import { serverBinary } from '../../tools/redis/server-binary.js';
import type { Choice } from './choice.js';
import { inCluster } from './cluster-main.js';
import { Report } from './report.js';
import { inSentinel } from './sentinel-main.js';
import { withOneServer } from './single-main.js';

function argument(name: string): string | undefined {
  const place = process.argv.indexOf(name);
  return place < 0 ? undefined : process.argv[place + 1];
}

const TOPOLOGIES = { single: withOneServer, sentinel: inSentinel, cluster: inCluster };

const choice: Choice = {
  rounds: Number(argument('--rounds') ?? 1),
  only: argument('--only') ?? '',
  rows: process.argv.flatMap((word, place) => (process.argv[place - 1] === '--row' ? [Number(word)] : [])),
  quick: process.argv.includes('--quick'),
};
const report = new Report();
const wanted = argument('--topology');
if (wanted !== undefined && !(wanted in TOPOLOGIES)) {
  console.error(`--topology is one of ${Object.keys(TOPOLOGIES).join(', ')}; it was ${wanted}.`);
  process.exit(2);
}
console.log(`servers: ${serverBinary() ?? 'none'}`);
for (const [topology, run] of Object.entries(TOPOLOGIES))
  if (wanted === undefined || wanted === topology) await run(choice, report);
process.exit(report.end());
