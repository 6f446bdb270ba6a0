import type { ModulesContainer } from '@nestjs/core';
import { LockUsageError } from '../base/errors.js';
import { BUSY_STATUS, type HttpMappingOptions } from './http-exception.js';
import { registrationCalled } from './locks-token.js';

/** What the option `filter` takes. */
type FilterOption = boolean | HttpMappingOptions | undefined;

// Keyed by an object of the application, so the entry goes when the application goes.
const settingsOf = new WeakMap<ModulesContainer, Map<string | undefined, Set<string>>>();

/** Notes what a registration of an application says about the filter. */
export function noteFilter(
  modules: ModulesContainer,
  registration: string | undefined,
  filter: FilterOption,
): void {
  const all = settingsOf.get(modules) ?? new Map<string | undefined, Set<string>>();
  settingsOf.set(modules, all);
  all.set(registration, (all.get(registration) ?? new Set()).add(spelled(filter)));
}

/**
 * Nest gives an error to the first filter that takes it, which cannot pass it on, and an error does not tell the registration
 * that it comes from. So all registrations of an application need the same setting.
 *
 * @throws LockUsageError that names registrations with different settings
 */
export function checkFilters(modules: ModulesContainer): void {
  const all = [...(settingsOf.get(modules) ?? [])].flatMap(([name, settings]) =>
    [...settings].map((setting) => ({ setting, said: `${registrationCalled(name)} has filter: ${setting}` })),
  );
  const [first] = all;
  const other = all.find(({ setting }) => setting !== first?.setting);
  if (!first || !other) return;
  throw new LockUsageError(
    `The registrations of an application share one exception filter, but ${first.said}, and ${other.said}. Write the same ` +
      'filter in the options of each. For answers that differ write filter: false in each, and a filter of your own, which ' +
      'may use toHttpException(error, { busyStatus }).',
  );
}

/** A setting in one form, whichever way it was written. */
function spelled(filter: FilterOption): string {
  if (filter === false) return 'false';
  const { busyStatus = BUSY_STATUS } = typeof filter === 'object' ? filter : {};
  return busyStatus === BUSY_STATUS ? 'true' : `{ busyStatus: ${busyStatus} }`;
}
