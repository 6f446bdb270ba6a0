import { LockStoreError } from '../base/errors.js';
import type { RenewOperation } from '../store/lock-operation.js';
import type { Answered } from '../store/lock-store.js';
import { commandEnd } from '../validity/deadline.js';
import type { Surroundings } from './surroundings.js';
import { commandTimeout, micros } from './terms.js';

/** What a renewal is about: a hold, and the last fence used of it. */
export interface Renewed {
  readonly id: string;
  readonly name: string;
  readonly used: number;
}

/** Sends one renewal; rejects with LockStoreError when it came too late, or its outcome is unknown. Spans are milliseconds. */
export async function sendRenew(
  { store, clock }: Surroundings,
  { id, name, used }: Renewed,
  ttl: number,
  guard: number,
): Promise<Answered<RenewOperation> | { readonly outcome: 'lost' }> {
  const timeout = commandTimeout(ttl);
  const sample = store.sample(name) ?? (await store.measure(name, timeout));
  const notAfter = commandEnd(sample, clock.now(), timeout);
  const times = { ttl: micros(ttl), guard: micros(guard), block: micros(ttl) };
  const answer = await store
    .execute(name, { kind: 'renew', id, ...times, used, notAfter }, timeout)
    .catch(lostIfForeign);
  if (answer.outcome === 'late') throw new LockStoreError('The renewal was read too late.', name);
  return answer;
}

/** Where a value of somebody else is, nothing of ours is left. */
function lostIfForeign(error: LockStoreError): { readonly outcome: 'lost' } {
  if (error.foreign) return { outcome: 'lost' };
  throw error;
}
