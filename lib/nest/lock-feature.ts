import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { refuseUnknown } from '../locks/checks.js';
import { featureProfiles } from './lock-profiles.js';
import type { LockProfile } from './locked-options.js';
import { checkRegistered } from './locks-token.js';

/**
 * What `DistributedLockModule.forFeature` takes.
 *
 * @publicApi
 */
export interface LockFeatureOptions {
  /** Named sets of options for `@Locked(key, { profile })`, in addition to those of `forRoot`. */
  readonly profiles: Readonly<Record<string, LockProfile>>;
  /** The registration that they belong to: the `name` given to `forRoot`. @default the default registration */
  readonly name?: string | undefined;
}

export const FEATURE = Symbol('the options of a feature');
const KNOWN: ReadonlySet<string> = new Set(['profiles', 'name']);

/** @throws LockUsageError for options that a feature does not have, and without profiles */
export function checkFeature(options: LockFeatureOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new LockUsageError(`forFeature takes an object with profiles; it was given ${shown(options)}.`);
  refuseUnknown(options, KNOWN);
  const { profiles } = options;
  if (typeof profiles === 'object' && profiles !== null) return;
  throw new LockUsageError(`The option profiles takes an object of profiles; it was ${shown(profiles)}.`);
}

/** Adds the profiles of a feature to its registration, whichever of the two modules is made first. */
@Module({})
export class LockFeatureModule implements OnModuleInit {
  constructor(
    @Inject(FEATURE) private readonly feature: LockFeatureOptions,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {
    const { profiles, name } = feature;
    featureProfiles(modules, name).add(profiles);
  }

  onModuleInit(): void {
    const has = 'DistributedLockModule.forFeature has profiles for';
    checkRegistered(this.modules, this.feature.name, has);
  }
}
