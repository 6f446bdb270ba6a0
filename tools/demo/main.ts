import { Demo } from './demo.js';
import { LivePage, openBrowser } from './live/live-page.js';
import { isExact, type Outcome } from './race.js';
import { raceTable } from './race-table.js';
import { bold, dim, green, red, yellow } from './style.js';

const args = process.argv.slice(2);
const place = args.indexOf('--topology');
const topology = place < 0 ? undefined : (args[place + 1] ?? '');
// A program that reads the output wants the table, and several servers are shown by the table only.
const once =
  args.includes('--once') || topology !== undefined || !(process.stdout.isTTY || args.includes('--page'));
const demo = once ? new Demo(topology) : new LivePage();
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

async function races(demo: Demo): Promise<number> {
  const say = steps();
  const { server, emulated, database } = await demo.start(say);
  say();
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

async function page(live: LivePage): Promise<void> {
  const say = steps();
  const url = await live.start(say);
  if (interrupted) return;
  say();
  console.log(`
  ${bold(url)}

The flash sale without a lock and with it, live. ${dim('Ctrl-C ends everything.')}`);
  if (process.stdout.isTTY && !args.includes('--no-open')) openBrowser(url);
}

/** Says each step when it begins, and how long it took when the next one does. */
function steps(): (step?: string) => void {
  let began = 0;
  return (step) => {
    if (began > 0) console.log(dim(`  ${((performance.now() - began) / 1000).toFixed(1)} s`));
    began = performance.now();
    if (step !== undefined) console.log(dim(`Starting ${step} …`));
  };
}

try {
  if (demo instanceof Demo) {
    process.exitCode = await races(demo);
    await demo.stop();
  } else await page(demo);
} catch (error) {
  if (!interrupted) {
    console.error(red((error as Error).message));
    process.exitCode = 1;
  }
  await demo.stop();
  if (!once && !interrupted) process.exit();
}
// Connections that fetch keeps open would hold the process for seconds.
if (once && !interrupted) process.exit();
