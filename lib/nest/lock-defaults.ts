import { LockUsageError } from '../base/errors.js';
import {
  checkLockedOptions,
  type LockDefaultsOptions,
  type LockedOptions,
  type LockProfile,
} from './locked-options.js';

const DEFAULTS = Symbol.for('nestjs-distributed-lock:defaults');
const KNOWN: ReadonlySet<string> = new Set([
  'profile',
  'ttl',
  'wait',
] satisfies (keyof LockDefaultsOptions)[]);

/**
 * What the `@Locked` and `@LockedStream` methods of a class use unless they say otherwise: a profile, a `ttl` and a `wait`.
 * It holds for the methods that the class itself declares, and for those of its subclasses unless these have `@LockDefaults`
 * of their own, which then replaces this one as a whole. Methods that a subclass inherits keep the defaults of the class that
 * declares them. Whatever stands nearer to the method wins: its options, its profile, the `ttl` and `wait` given here, the
 * profile given here, the registration. A LockInterceptor does not read it.
 *
 * @throws LockUsageError on anything but a class, for other options, and for values out of range
 * @publicApi
 */
export function LockDefaults(defaults: LockDefaultsOptions): ClassDecorator {
  return (target, ...rest: unknown[]) => {
    const where = `@LockDefaults on ${target.name || 'a class'}`;
    if (typeof target !== 'function' || rest.some((each) => each !== undefined))
      throw new LockUsageError('@LockDefaults stands on a class; a method has the options of its @Locked.');
    if (typeof defaults !== 'object' || defaults === null)
      throw new LockUsageError(`${where} takes an object, such as { ttl: '30s' }.`);
    const unknown = Object.keys(defaults).find((option) => !KNOWN.has(option));
    if (unknown !== undefined)
      throw new LockUsageError(
        `${where} has no option '${unknown}'; its options are ${[...KNOWN].join(', ')}. Others stand in a profile.`,
      );
    Reflect.defineMetadata(DEFAULTS, checkLockedOptions(defaults, where), target);
  };
}

/** The defaults for the methods that are declared on this prototype. They are known once its class is decorated. */
export function lockDefaultsOf(prototype: object): LockDefaultsOptions | undefined {
  return Reflect.getMetadata(DEFAULTS, prototype.constructor) as LockDefaultsOptions | undefined;
}

/** The profile that a method uses. */
export function profileNameOf(
  options: Pick<LockedOptions, 'profile'>,
  defaults: LockDefaultsOptions | undefined,
): string | undefined {
  return options.profile ?? defaults?.profile;
}

/** The options of a method together with its class's defaults and its profile; what is nearer to the method wins. */
export function combinedOptions<O extends Pick<LockedOptions, 'profile'>>(
  options: O,
  defaults: LockDefaultsOptions | undefined,
  profile: LockProfile | undefined,
): O & LockProfile {
  const { profile: _, ...common } = defaults ?? {};
  return options.profile === undefined
    ? { ...profile, ...common, ...options }
    : { ...common, ...profile, ...options };
}
