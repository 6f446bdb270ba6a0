import { LockUsageError } from '../base/errors.js';
import type { Lease } from '../locks/lock.js';
import { debug, inform, warn } from '../locks/lock-log.js';
import type { LockService } from '../locks/lock-service.js';
import type { OnceOptions } from '../locks/once-lock.js';
import { unlessBusy, type Work } from '../locks/busy-call.js';
import { checkFirePlan, type FirePlan, fireTerms } from './fire-plan.js';
import type { LockNames } from './lock-key.js';
import { logOf } from './nest-log.js';

/**
 * How `runOncePerFire` takes the lock of a fire.
 *
 * @publicApi
 */
export type FireOptions = Omit<OnceOptions, 'doneTtl' | 'mark'>;

/** What a scheduled method brings along. */
export interface FireCall {
  readonly locks: LockService;
  readonly names: LockNames;
  readonly method: object;
  /** Where the decorator stands, for people. */
  readonly where: string;
  readonly settings: FireOptions;
}

// With `mark: 'end'` the others wait at least this long: the longest default `wait`, made to outlast a dead holder.
const TAKEOVER = 30_000;

/**
 * Runs `work` for the fire that the plan tells, unless another process has it: for jobs that are added by hand; methods
 * with `@Cron` have `@Locked(name, oncePerFire())`. Resolves with the value of the work, or with undefined when it was not
 * run here. The name of the lock is `name` and the instant of the fire, so that neither a clock that differs, nor a run
 * that is over soon, nor a process that comes late repeats it.
 *
 * @throws LockStoreError when the store does not answer; the work does not run then
 * @throws LockUsageError for a bad name, plan or option
 * @throws LockLostError when the lease was lost while working; the outcome is attached
 * @publicApi
 */
export async function runOncePerFire<T>(
  locks: LockService,
  name: string,
  plan: FirePlan,
  work: (lease: Lease) => T | PromiseLike<T>,
  options: FireOptions = {},
): Promise<T | undefined> {
  const call = { locks, names: name, method: work, where: 'runOncePerFire', settings: options };
  return (await runFire(checkFirePlan(plan), call, work)) as T | undefined;
}

/** The same for a decorated method. */
export async function runFire(
  plan: FirePlan,
  { locks, names, method, where, settings }: FireCall,
  work: Work,
): Promise<unknown> {
  if (typeof names !== 'string')
    throw new LockUsageError(
      `${where} runs once per fire, which takes one name; it has ${names.length}: '${names.join("', '")}'.`,
    );
  const now = Date.now();
  const { at, doneTtl, latest, earliest } = fireTerms(plan, method, new Date(now));
  const fire = `'${names}', the fire of ${at.toISOString()}`;
  const log = logOf(locks);
  const fields = { lock: names, fire: at.toISOString(), place: where };
  const late = now - at.getTime();
  if (late > latest || late < -earliest) {
    const limit = `A run may begin up to ${Math.round(latest)} ms after its fire.`;
    warn(log, 'fire-missed', `${fire}: not run here, since it is ${distance(late)}. ${limit}`, fields);
    return undefined;
  }
  const { mark = 'start' } = plan;
  const patience = Math.max(Math.ceil(latest), TAKEOVER);
  const terms = { ...settings, wait: settings.wait ?? (mark === 'start' ? 0 : patience), doneTtl, mark };
  const run = async (held: Work): Promise<unknown> => {
    const outcome = await locks.once(`${names}:${at.toISOString()}`, held, terms);
    if (outcome.ran) return outcome.value;
    debug(log, 'fire-elsewhere', `${fire}: was run by another process.`, fields);
    return undefined;
  };
  const begun: Work = (lease) => {
    inform(log, 'fire-run', `${fire}: run here, ${distance(late)}.`, fields);
    return work(lease);
  };
  return unlessBusy(run, begun, ({ holder }) => {
    const by = holder && `${holder.host}:${holder.pid}`;
    const known = { ...fields, ...(by && { holder: by }) };
    debug(log, 'fire-elsewhere', `${fire}: is run by ${by ?? 'another process'}.`, known);
  });
}

const distance = (ms: number): string => `${Math.abs(ms)} ms ${ms < 0 ? 'before' : 'after'} it`;
