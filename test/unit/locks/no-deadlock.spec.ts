import type { LockLogEntry } from '../../../lib/locks/lock-log.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { ContendedCalls, drawnFrom } from '../../support/contended-calls.js';

// Ten thousand with npm run test:deadlocks:long.
const ACQUISITIONS = Number(process.env['CONTENDED'] ?? 500);

class CountingStore extends MemoryStore {
  static reads = 0;
  override read(...args: Parameters<MemoryStore['read']>): ReturnType<MemoryStore['read']> {
    CountingStore.reads += 1;
    return super.read(...args);
  }
}

it(`no deadlock is reported where there is none, in ${ACQUISITIONS} acquisitions that wait for seconds`, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const clock = new ManualClock();
  const server = new MemoryServer(clock, 60_000);
  const told: LockLogEntry[] = [];
  const log = { warn: () => undefined, write: (line: LockLogEntry) => void told.push(line) };
  const settings = new LockSettings({ shutdownGrace: 0, deadlock: 'fail' });
  const processes = [0, 1, 2].map(() =>
    LockService.over(new CountingStore(server, newSession(), clock), settings, clock, log),
  );
  const pause = (ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));
  const calls = new ContendedCalls({
    ...{ processes, now: () => clock.now(), pause, longest: 400, random: drawnFrom(seed) },
  });
  let over = false;
  const done = calls.until(ACQUISITIONS, 24).finally(() => (over = true));
  done.catch(() => undefined);
  while (!over) await clock.advance(250);
  await done;
  const found = told.filter(({ event }) => event === 'deadlock').map(({ message }) => message);
  expect({ seed, found }).toEqual({ seed, found: [] });
  expect(CountingStore.reads).toBeGreaterThan(ACQUISITIONS / 10); // else nobody looked
  if (process.env['TELL']) process.stdout.write(`${calls.contended} ${CountingStore.reads} ${told.length}\n`);
  const closed = Promise.all(processes.map((each) => each.close()));
  await clock.advance(100);
  await closed;
}, 600_000);
