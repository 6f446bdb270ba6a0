// Argument: a job as JSON. Says 'ready', waits for a line, and answers with the outcome as JSON.
import { once } from 'node:events';
import { BEFORE, libraryBefore } from '../contenders/before.js';
import type { Contender } from '../contenders/contender.js';
import { entrant } from '../contenders/entrants.js';
import { served } from '../measure/loops.js';
import { closeAll, connection, readModifyWrite } from './clients.js';
import type { CrowdJob, CrowdOutcome } from './crowd.js';

const job = JSON.parse(process.argv[2] ?? '') as CrowdJob;
const { url, data, name, callers, warmUp, ms } = job;
const section = job.section === 'rmw' ? readModifyWrite(data, name) : async () => undefined;
if (job.section === 'rmw') await connection(data, 'data').ping();

if (job.entrant === BEFORE.id) await libraryBefore(); // ours is imported by now, too

let longest = 0;
let sections = 0;

/** Each caller comes once, or again and again until `end`. */
async function crowd(using: Contender['using'], until: number): Promise<void> {
  const caller = async (): Promise<void> => {
    do {
      const asked = performance.now();
      await using(name, () => {
        sections += 1;
        longest = Math.max(longest, performance.now() - asked);
        return section();
      });
    } while (performance.now() < until);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

async function oneAfterAnother(until: number): Promise<void> {
  do {
    for (let caller = 0; caller < callers; caller += 1) {
      sections += 1;
      await section();
    }
  } while (performance.now() < until);
}

let contender: Contender | undefined;
const open = async (): Promise<Contender> => {
  const { open: opened, openAtOnce = opened } = entrant(job.entrant);
  return (contender = await (job.from === 'call' ? opened : openAtOnce)(url));
};
const rounds = async (until: number): Promise<void> => {
  if (job.entrant === 'bare') return oneAfterAnother(until);
  const lock = contender ?? (await open());
  await crowd((wanted, work) => served(lock, wanted, work), until);
};

if (job.from === 'call' && job.entrant !== 'bare') await open();
if (warmUp > 0) await rounds(performance.now() + warmUp);
longest = sections = 0;
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const begun = performance.now();
await rounds(ms > 0 ? begun + ms : 0);
const outcome: CrowdOutcome = { sections, ms: performance.now() - begun, longest };
process.stdout.write(`${JSON.stringify(outcome)}\n`);
await contender?.close();
await closeAll();
process.exit();
