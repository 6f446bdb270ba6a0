import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import type { DistributedLockOptions } from './distributed-lock-options.js';

const KNOWN = {
  redis: true,
  namespace: true,
  ttl: true,
  wait: true,
  guard: true,
  fenceMemory: true,
  shutdownGrace: true,
  startup: true,
  reentrant: true,
  profiles: true,
  filter: true,
} as const satisfies Record<keyof DistributedLockOptions | 'reentrant', true>;
const EXTRAS = ['name', 'isGlobal'];

/**
 * Checks that the options of a registration are options that there are. What they may be is checked where they are used.
 *
 * @throws LockUsageError that names the unknown option and lists the known ones
 */
export function checkModuleOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw new LockUsageError(
      `The options of DistributedLockModule are an object; they were ${shown(options)}.`,
    );
  const unknown = Object.keys(options).find((option) => !Object.hasOwn(KNOWN, option));
  if (unknown === undefined) return;
  throw new LockUsageError(
    EXTRAS.includes(unknown)
      ? `A factory cannot choose the option '${unknown}'; write it beside it: forRootAsync({ ${unknown}: …, useFactory }).`
      : `DistributedLockModule has no option '${unknown}'; there are ${[...Object.keys(KNOWN), ...EXTRAS].join(', ')}.`,
  );
}
