import { Demo } from './demo.js';
import { isExact, type Outcome } from './race.js';
import { raceTable } from './race-table.js';
import { bold, dim, green, red, yellow } from './style.js';

const once = process.argv.includes('--once');
const place = process.argv.indexOf('--topology');
const topology = place < 0 ? undefined : (process.argv[place + 1] ?? '');
const demo = new Demo(topology);
let interrupted = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // npm and the terminal may both pass it on: only the first one counts.
    if (interrupted) return;
    interrupted = true;
    console.log(dim('\nGiving the locks back and ending all processes …'));
    void demo.stop().finally(() => process.exit(once ? 130 : 0));
  });
}

async function main(): Promise<number> {
  console.log(dim('Starting Redis, a database and three processes of the flash sale …'));
  const { server, emulated, database } = await demo.start();
  console.log(
    `Redis: ${emulated ? yellow('EMULATED') : server} · database: ${database.kind === 'given' ? 'given' : 'PGlite'}` +
      ` · processes: ${demo.shops.map(({ name, url }) => `${name} ${url}`).join('  ')}\n`,
  );

  const outcomes: Outcome[] = [];
  for await (const outcome of demo.races(database)) {
    outcomes.push(outcome);
    const { buyers, lock } = outcome.race;
    console.log(dim(`${buyers} buyers ${lock === 'on' ? 'with the lock' : 'without a lock'}: done`));
  }
  console.log(
    `\n${raceTable(
      outcomes,
      demo.shops.map(({ name }) => name),
    )}\n`,
  );
  const good = report(outcomes);
  if (emulated) console.log(yellow('Redis was EMULATED: the figures of a real one are better.\n'));
  return good ? 0 : 1;
}

/** Says in words what the table shows; true when the locked runs were exact. */
function report(outcomes: readonly Outcome[]): boolean {
  const [locked, unlocked] = (['on', 'off'] as const).map((lock) =>
    outcomes.filter(({ race }) => race.lock === lock),
  );
  const sum = (of: readonly Outcome[] = [], what: (outcome: Outcome) => number) =>
    of.reduce((n, o) => n + what(o), 0);
  const lost = sum(unlocked, ({ oversold }) => oversold);
  console.log(`Without a lock the shop sold ${red(`${lost} items that do not exist`)}.`);
  const good = locked?.every(isExact) === true;
  const sold = `${sum(locked, (o) => o.sold)} of ${sum(locked, (o) => o.race.items)}`;
  console.log(
    good
      ? `With the lock it sold ${green(`exactly ${sold}`)}, each order with a larger fence than the one before.`
      : red(`With the lock it sold ${sold}, and that is not right: see the table.`),
  );
  for (const { interruption, replacedAfter } of outcomes)
    if (replacedAfter !== undefined)
      console.log(
        `The master was killed when a third was sold, and replaced after ${replacedAfter.toFixed(0)} ms: the longest time ` +
          `between two sales was ${bold(`${interruption.toFixed(0)} ms`)}.`,
      );
  for (const { race, failures } of outcomes) {
    for (const [status, times] of Object.entries(failures)) {
      console.log(red(`${race.buyers} buyers, lock ${race.lock}: ${times} × HTTP ${status}`));
    }
  }
  console.log('');
  return good;
}

function invite(): void {
  const [first, second] = demo.shops.map(({ url }) => `${url}/flash-sale/sneaker`);
  const json = `-H 'content-type: application/json'`;
  console.log(`${bold('The three processes stay open. Try them:')}

  curl ${first}
  curl -X POST ${first}/restock ${json} -d '{"quantity":3}'
  curl -X POST ${second}/orders ${json} -d '{"buyer":"ann"}'
  curl -X POST '${second}/orders?lock=off' ${json} -d '{"buyer":"bob"}'

${dim('Ctrl-C ends everything.')}`);
}

try {
  process.exitCode = await main();
  if (once) await demo.stop();
  else invite();
} catch (error) {
  if (!interrupted) {
    console.error(red((error as Error).message));
    process.exitCode = 1;
  }
  await demo.stop();
}
// Connections that fetch keeps open would hold the process for seconds.
if (once && !interrupted) process.exit();
