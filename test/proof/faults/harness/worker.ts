import { setTimeout as sleep } from 'node:timers/promises';
import { Book } from './book.js';
import { Borrower } from './borrower.js';
import { Churn } from './churn.js';
import type { Contender } from './contender.js';
import { FencedCounter } from './fenced-counter.js';
import { HistoryFile, monotonic } from './history.js';
import { KindsChurn } from './kinds-churn.js';
import { LagMeter } from './lag-meter.js';
import { LatchBook } from './latch-book.js';
import { OwnContender } from './own-contender.js';
import { Post } from './post.js';
import { RelayChurn } from './relay-churn.js';
import type { TakeOptions, WorkerCall, WorkerCommands, WorkerReply, WorkerSetup } from './worker-commands.js';

const setup = JSON.parse(process.argv[2] ?? '') as WorkerSetup;
const { label } = setup;
const history = new HistoryFile(setup.history);
const crash = (error: unknown) =>
  history.add({
    type: 'crash',
    process: label,
    at: monotonic(),
    message: String((error as Error)?.stack ?? error),
  });
process.on('unhandledRejection', crash);
process.on('uncaughtException', crash);

const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));
const contender = await openContender();
const book = new Book(history, label, contender);
const meter = new LagMeter(history, label);
const counter = new FencedCounter(setup.counters ?? 'redis://127.0.0.1:1', history, label);
const churn = new Churn(book, counter);
const latches =
  contender instanceof OwnContender ? new LatchBook(history, label, contender.locks) : undefined;
const borrower =
  contender instanceof OwnContender ? new Borrower(contender.locks, history, label, counter) : undefined;
const kinds = latches && new KindsChurn(label, book, latches, counter);
const relay = latches && new RelayChurn(book, counter, new Post(setup.counters ?? 'redis://127.0.0.1:1'));

async function openContender(): Promise<Contender> {
  if (setup.contender === 'own')
    return new OwnContender(setup.redis ?? setup.url, setup, (warning) => warnings.push(warning));
  const { RedlockContender } = await import('./redlock-contender.js');
  const { SemaphoreContender } = await import('./semaphore-contender.js');
  return setup.contender === 'redlock' ? new RedlockContender(setup.url) : new SemaphoreContender(setup.url);
}

function ofOwn<T>(what: T | undefined): T {
  if (what === undefined) throw new Error(`${setup.contender} has no other kinds.`);
  return what;
}

function terms({ ttl = 2_000, wait = 10_000, renew = true, linger = 0, abortAfter, share }: TakeOptions) {
  const controller = new AbortController();
  if (abortAfter !== undefined) setTimeout(() => controller.abort(), abortAfter);
  return { ttl, wait, renew, linger, signal: controller.signal, ...(share ? { share } : {}) };
}

/** The first thing that code does after a pause: is it still held? Then it writes all the same. */
async function after(id: string | undefined, name: string | undefined) {
  const claim = id === undefined ? undefined : book.claim(id);
  let threw = false;
  try {
    claim?.assertHeld();
  } catch {
    threw = true;
  }
  const stale = claim?.fence !== undefined && name !== undefined;
  const written = stale ? await counter.write(name, claim.fence, -1) : false;
  return { threw, written };
}

const commands: WorkerCommands = {
  ready: async () => {
    await contender.ready?.();
    return warnings;
  },
  take: (name, options) => book.take(name, terms(options)),
  give: (id) => book.give(id),
  renew: (id) =>
    book
      .claim(id)
      .renew()
      .then(
        () => 'renewed',
        (error: Error) => error.message,
      ),
  renewAndGive: (id) => {
    const renewal = book
      .claim(id)
      .renew()
      .catch(() => undefined);
    const given = book.give(id);
    return renewal.then(() => given);
  },
  burst: async (names, options) => {
    const outcomes: Record<string, number> = {};
    await Promise.all(
      names.map(async (name) => {
        const { id, refused } = await book.take(name, terms(options));
        const word = refused?.code ?? 'granted';
        outcomes[word] = (outcomes[word] ?? 0) + 1;
        if (!refused) await book.give(id);
      }),
    );
    return outcomes;
  },
  giveNearEnd: async (id, left) => {
    const rest = book.claim(id).remaining() - left;
    await sleep(Math.max(0, rest - 3));
    while (left > 0 && book.claim(id).remaining() > left) continue;
    return book.give(id);
  },
  held: async (id) => book.claim(id).held(),
  lateness: async (id) => book.lateness(id),
  block: (ms, id, name) => {
    for (const end = monotonic() + ms; monotonic() < end;) continue;
    return after(id, name);
  },
  spinUntilStopped: (ms, id, name) => {
    for (let last = monotonic(), now = last; now - last < ms; now = monotonic()) last = now;
    return after(id, name);
  },
  churn: (options) => churn.run(options),
  churnKinds: (options) => ofOwn(kinds).run(options),
  churnRelay: (options) => ofOwn(relay).run(options),
  stopChurn: async () => {
    churn.stop();
    kinds?.stop();
    relay?.stop();
  },
  borrow: (name, rounds) => ofOwn(borrower).run(name, rounds),
  passLatch: async (name, count, wait) => {
    await ofOwn(latches).trySetCount(name, count, 60_000);
    await ofOwn(latches).countDown(name, label);
    return Boolean((await ofOwn(latches).opened(name, wait)).opened);
  },
  begin: (id, name) => counter.begin(name, book.claim(id).fence ?? 0),
  read: (name) => counter.read(name),
  wallClock: async () => Date.now(),
  measureLag: async (on) => {
    meter.measures = on;
  },
  close: async () => {
    const began = monotonic();
    await contender.close();
    return { warnings, ms: monotonic() - began };
  },
  exit: async () => process.exit(0),
};

function reply(message: WorkerReply): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

process.on('message', ({ call, command, args }: WorkerCall) => {
  const run = commands[command] as (...args: unknown[]) => Promise<unknown>;
  run(...args).then(
    (value) => reply({ call, value }),
    (error: Error) => reply({ call, error: error.stack ?? error.message }),
  );
});

// Without the runner there is nothing to do; what then keeps the process alive would be a leak.
process.on('disconnect', () => {
  meter.stop();
  book.stop();
  counter.close();
  relay?.close();
});

reply({ call: 0, value: 'ready' });
