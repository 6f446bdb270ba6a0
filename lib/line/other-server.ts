/** What the process does when another server takes the place of the one that granted its leases. */
import { commandTimeout } from '../store/server-clock.js';
import type { Hold } from './hold.js';
import type { LineSetup } from './line-setup.js';
import type { PendingRelease } from './pending-releases.js';

// How many renewals are on their way at a time: the new server has to answer each within its timeout.
const RENEWALS = 1_024;
// How many names are read at a time.
const READINGS = 64;

/**
 * A server took the place of the one that granted our leases: a replica that was promoted, or a process that started
 * again. It may lack the last writes. So it is asked about every lease at once, those with the least time left first: a
 * third of the ttl later it might already have granted to others what it does not know. Releases that only the old server
 * has read are sent again; otherwise those names would stay taken until the leases end.
 *
 * Resolves with a sentence about what became of the leases.
 */
export async function settleAtOther(
  setup: LineSetup,
  holds: readonly Hold[],
  releases: readonly PendingRelease[],
  isAlive: (name: string, id: string) => boolean,
): Promise<string> {
  const now = setup.clock.now();
  const live = holds.filter((hold) => hold.liveAt(now)).sort((a, b) => a.deadline - b.deadline);
  const outcomes = { renewed: 0, lost: 0, unknown: 0 };
  const ask = (hold: Hold): Promise<unknown> =>
    hold.ask().then(
      (outcome) => (outcomes[hold.pendingRelease ? 'renewed' : outcome] += 1), // a hold that was released was not lost
      () => (outcomes.unknown += 1),
    );
  const asked = inParts(live, RENEWALS, ask);
  const recent = releases.filter(({ end }) => end > now); // the leases of older ones have ended anyway
  for (const release of recent) releaseAgain(setup, release, now);
  void inParts(recent, READINGS, ({ name }) => releaseOrphans(setup, name, isAlive));
  await asked;
  const { renewed, lost, unknown } = outcomes;
  const open = unknown > 0 ? `, and ${unknown} could not be asked yet` : '';
  return `of ${live.length} leases of this process, it kept ${renewed} and lost ${lost}${open}.`;
}

/** Sends a release again; what it keeps (minimum hold, done mark) ends at the same time as before. */
function releaseAgain({ pendingReleases }: LineSetup, release: PendingRelease, now: number): void {
  const ago = now - (release.at ?? now);
  const [keep, done] = [Math.max(0, release.keep - ago), Math.max(0, release.done - ago)];
  void pendingReleases.send({ ...release, keep, done, doubt: 0 });
}

/**
 * Releases holds and queue places of this session that nothing here knows any more: of attempts that ended while only the
 * old server was told. It need not be the last attempt, since a busy name may have changed hands often.
 */
async function releaseOrphans(
  { store, pendingReleases, clock }: LineSetup,
  name: string,
  isAlive: (name: string, id: string) => boolean,
): Promise<void> {
  const reading = await store.read(name, commandTimeout(Infinity)).catch(() => undefined);
  if (!reading) return; // they end by themselves
  const { state, now } = reading;
  const ours = (id: string): boolean => id.startsWith(`${store.session}.`) && !isAlive(name, id);
  const orphans = [
    // All of its fences may have been used. What was revoked stays taken until its work gives it back, though no lease has it.
    ...state.holders
      .filter(({ kept, revocation }) => !kept && revocation === undefined)
      .map(({ id, deadline, last }) => ({ id, until: deadline, used: last })),
    ...state.queue.map(({ id, until }) => ({ id, until, used: 0 })),
  ];
  for (const { id, until, used } of orphans.filter((each) => ours(each.id))) {
    const left = Math.max(0, (until - now) / 1_000);
    const times = { ttl: left, end: clock.now() + left };
    void pendingReleases.send({ name, id, used, keep: 0, done: 0, ...times, doubt: 0 });
  }
}

/** Runs `task` for all items in their order, `size` at a time. */
async function inParts<T>(
  items: readonly T[],
  size: number,
  task: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let begin = 0; begin < items.length; begin += size)
    await Promise.all(items.slice(begin, begin + size).map(task));
}
