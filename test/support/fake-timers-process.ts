// A process whose timers are those of @sinonjs/fake-timers, all of them: says what came of calls under a lock.
import { createRequire } from 'node:module';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { LockTestKit } from '../../lib/testing/index.js';

interface FakeClock {
  tickAsync(ms: number): Promise<number>;
  tick(ms: number): number;
  setSystemTime(now: number): void;
  uninstall(): void;
}
const fakeTimers = createRequire(import.meta.url)('@sinonjs/fake-timers') as {
  install(options: object): FakeClock;
};
const { setTimeout: realSetTimeout } = globalThis;
const quiet = { log: { warn: () => undefined } };
const before = createLockService(quiet);
const kitBefore = new LockTestKit({ clock: 'manual' });
const sleep = (ms: number) => new Promise<string>((done) => setTimeout(done, ms, 'slept'));
const settled = (promise: Promise<unknown>): Promise<string> =>
  Promise.race([
    promise.then(String, (error: Error) => error.message.replace(/fence \d+/, 'fence')),
    new Promise<string>((done) => realSetTimeout(done, 2_000, 'hangs')),
  ]);

for (const when of ['before', 'after']) {
  const clock = fakeTimers.install({ now: Date.now(), loopLimit: 100_000 });
  const locks = when === 'before' ? before : createLockService(quiet);
  const crowd = Array.from({ length: 100 }, (_, n) => locks.using('crowd', () => n));
  console.log(when, 'crowd', await settled(Promise.all(crowd).then(({ length }) => length)));

  const work = locks.using('work', () => sleep(60_000));
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  clock.tick(60_000);
  console.log(when, 'work', await settled(work));

  const dated = locks.using('dated', () => sleep(1_000));
  await clock.tickAsync(10);
  clock.setSystemTime(Date.now() + 365 * 86_400_000);
  await clock.tickAsync(1_000);
  console.log(when, 'dated', await settled(dated));

  const holder = locks.using('waited', () => sleep(30_000));
  const waiter = locks.using('waited', () => 'entered', { wait: '10s' });
  const told = waiter.catch(({ reason, waited }) => `${reason} ${waited}`);
  await clock.tickAsync(9_999);
  console.log(when, 'early', await Promise.race([told, Promise.resolve('waits')]));
  await clock.tickAsync(1);
  console.log(when, 'waiter', await settled(told));
  await clock.tickAsync(20_000);
  console.log(when, 'holder', await settled(holder));

  const kit = when === 'before' ? kitBefore : new LockTestKit({ clock: 'manual' });
  const theirs = await kit.hold('theirs');
  const asked = kit.locks.acquire('theirs', { wait: 0 });
  const kitSaid = [`kit ${await settled(asked.catch(({ reason }) => String(reason)))}`];
  const patient = kit.locks.acquire('theirs').catch(({ reason, waited }) => `${reason} ${waited}`);
  await kit.advance('10s');
  kitSaid.push(`kit ${await settled(patient)}`);
  await kit.expire('theirs');
  kitSaid.push(`kit ${theirs.held ? 'held' : 'expired'}`);
  await kit.close();

  // The fake timers go while somebody waits.
  const lease = await locks.acquire('healed');
  const waits = locks.acquire('healed', { wait: 200 });
  clock.uninstall();
  console.log(when, 'healed', await settled(waits.catch(({ reason }) => String(reason))));
  await lease.release();
  console.log(when, 'afterwards', await settled(locks.using('healed', () => 'entered')));
  for (const line of kitSaid) console.log(when, line);
  await locks.close();
}
