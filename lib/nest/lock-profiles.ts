import { LockUsageError } from '../base/errors.js';
import type { LockService } from '../locks/lock-service.js';
import { checkProfile } from './locked-settings.js';
import type { LockProfile } from './locked-options.js';

// A LockService knows no profiles; they belong to the registration that made it and go when it goes.
const profilesOf = new WeakMap<LockService, Readonly<Record<string, LockProfile>>>();

/**
 * Attaches the profiles of a registration to its LockService.
 *
 * @throws LockUsageError for an option that a profile cannot have
 */
export function attachProfiles(locks: LockService, profiles: Readonly<Record<string, LockProfile>>): void {
  for (const [name, profile] of Object.entries(profiles)) checkProfile(name, profile);
  profilesOf.set(locks, profiles);
}

/**
 * The options of a profile.
 *
 * @throws LockUsageError that lists the profiles there are
 */
export function profileOf(locks: LockService, name: string): LockProfile {
  const profiles = profilesOf.get(locks);
  // A LockService that no module made (a unit test's) has no profiles to be wrong about.
  if (profiles === undefined) return {};
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return profile;
  const known = Object.keys(profiles);
  throw new LockUsageError(
    `There is no lock profile '${name}'; ` +
      (known.length > 0 ? `there are ${known.map((each) => `'${each}'`).join(', ')}.` : 'there are none.') +
      ` Add it: DistributedLockModule.forRoot({ profiles: { '${name}': { … } } }).`,
  );
}
