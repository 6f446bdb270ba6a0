import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender, Entrant } from '../contenders/contender.js';
import { OURS, PEERS } from '../contenders/entrants.js';
import { served } from '../measure/loops.js';
import type { Row } from '../measure/table.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import type { Scenario } from './scenario.js';

const SESSIONS = 200;

/** Two hundred sessions, each on connections of its own, wait for one name. */
export const waiting: Scenario = {
  id: 'waiting',
  async run(fixture) {
    const rows: Row[] = [];
    for (const entrant of fixture.quick ? [OURS] : [OURS, ...PEERS]) rows.push(await rowOf(fixture, entrant));
    const columns = [{ id: 'commands', title: 'commands/s', better: 'less' }] as const;
    return [
      { id: 'waiting', title: `Commands while ${SESSIONS} sessions wait`, section: 'none', columns, rows },
    ];
  },
};

async function rowOf(fixture: BenchFixture, { id, label, role, open, commands }: Entrant): Promise<Row> {
  const ours = role === 'ours';
  // Ours repeats itself every five seconds, peers every few milliseconds.
  const seconds = !ours ? 4 : fixture.quick ? 5.5 : 15;
  const sessions: Contender[] = await Promise.all(Array.from({ length: SESSIONS }, () => open(fixture.url)));
  const name = `scarce-${id}`;
  const holder = await open(fixture.url);
  const release = await holder.acquire(name);
  let passing = false;
  const waiters = sessions.map((session) =>
    served(session, name, async () => undefined).catch((error) => {
      if (!passing) throw error;
    }),
  );
  await sleep(ours ? 2_500 : 500); // all are subscribed, and what that takes is over
  const before = await fixture.calls(commands);
  await sleep(seconds * 1_000);
  const after = await fixture.calls(commands);
  passing = true;
  // A peer does not renew what was acquired by hand: on a busy machine it may have expired.
  await release().catch((error: unknown) => {
    if (ours) throw error;
  });
  if (ours) await Promise.all(waiters);
  await Promise.all([...sessions, holder].map((session) => session.close()));
  return { id, label, role, samples: [{ commands: (after - before) / seconds }] };
}
