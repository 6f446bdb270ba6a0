import type { ModulesContainer } from '@nestjs/core';
import { isDeepStrictEqual } from 'node:util';
import { LockUsageError } from '../base/errors.js';
import type { LockService } from '../locks/lock-service.js';
import { checkLockedOptions, type LockedOptions, type LockProfile } from './locked-options.js';

type Profiles = Readonly<Record<string, LockProfile>>;

/** The profiles that the features of an application add to one registration. */
export class FeatureProfiles {
  private readonly given = new Map<string, LockProfile>();
  private readonly owners = new Set<Profiles>();

  /** Adds the profiles of `forFeature`. @throws LockUsageError for a name that is given twice */
  add(profiles: Profiles): void {
    for (const [name, profile] of Object.entries(profiles)) {
      checkProfile(name, profile);
      const others = [...this.owners].flatMap((owner) =>
        Object.keys(owner).includes(name) ? [owner[name]] : [],
      );
      const known = this.given.get(name) ?? others[0];
      if (known !== undefined) refuseTwins(name, known, profile);
      this.given.set(name, profile);
    }
  }

  /** Joins them with those of `forRoot`. @throws LockUsageError for a name that is given twice */
  join(owner: Profiles): void {
    for (const name of Object.keys(owner)) {
      const known = this.given.get(name);
      if (known !== undefined) refuseTwins(name, known, owner[name]);
    }
    this.owners.add(owner);
  }

  get(name: string): LockProfile | undefined {
    return this.given.get(name);
  }

  get names(): readonly string[] {
    return [...this.given.keys()];
  }
}

// Keyed by objects of the application, so the entries go when the application goes.
const featuresOfModules = new WeakMap<ModulesContainer, Map<string, FeatureProfiles>>();
const profilesOf = new WeakMap<LockService, { readonly own: Profiles; readonly features: FeatureProfiles }>();

/** What the features of an application add to the profiles of a registration, now or later. */
export function featureProfiles(
  modules: ModulesContainer,
  registration: string | undefined,
): FeatureProfiles {
  const all = featuresOfModules.get(modules) ?? new Map<string, FeatureProfiles>();
  featuresOfModules.set(modules, all);
  const key = registration ?? '';
  const known = all.get(key) ?? new FeatureProfiles();
  all.set(key, known);
  return known;
}

/**
 * Attaches the profiles of a registration to its LockService, which knows none.
 *
 * @throws LockUsageError for an option that a profile cannot have, and for a name that a feature has given, too
 */
export function attachProfiles(locks: LockService, own: Profiles, features = new FeatureProfiles()): void {
  for (const [name, profile] of Object.entries(own)) checkProfile(name, profile);
  features.join(own);
  profilesOf.set(locks, { own, features });
}

/**
 * The options of a profile.
 *
 * @throws LockUsageError that lists the profiles there are
 */
export function profileOf(locks: LockService, name: string): LockProfile {
  const profiles = profilesOf.get(locks);
  // A LockService that no module made, as in a unit test, has no profiles at all.
  if (profiles === undefined) return {};
  const { own, features } = profiles;
  const profile = features.get(name) ?? (Object.hasOwn(own, name) ? own[name] : undefined);
  if (profile !== undefined) return profile;
  const known = [...Object.keys(own), ...features.names];
  throw new LockUsageError(
    `There is no lock profile '${name}'; ` +
      (known.length > 0
        ? `the profiles are ${known.map((each) => `'${each}'`).join(', ')}.`
        : 'there are no profiles.') +
      ` Add it: DistributedLockModule.forRoot({ profiles: { '${name}': { … } } }), or forFeature in the module that uses it.`,
  );
}

/** Checks one profile: the options of `@Locked` without those that choose a registration or a profile. */
function checkProfile(name: string, profile: LockProfile): void {
  const where = `The profile '${name}'`;
  const { locks, profile: other, signal, label, fires } = profile as LockedOptions;
  if (locks !== undefined || other !== undefined || signal !== undefined || fires !== undefined)
    throw new LockUsageError(
      `${where} cannot choose a registration, a profile, a signal or fires; @Locked does.`,
    );
  if (typeof label === 'function')
    throw new LockUsageError(
      `${where} takes a text as label; a function of the arguments stands at @Locked.`,
    );
  checkLockedOptions(profile, where);
}

/** The same module may be imported in several places; two profiles of one name would depend on their order. */
function refuseTwins(name: string, one: LockProfile | undefined, other: LockProfile | undefined): void {
  if (isDeepStrictEqual(one, other)) return;
  throw new LockUsageError(
    `The lock profile '${name}' is given twice for one registration, with different options: by forFeature, and by ` +
      'forRoot or another forFeature. Give it once, or use two names.',
  );
}
