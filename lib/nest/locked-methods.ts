import type { INestApplicationContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { combinedOptions, lockDefaultsOf, profileNameOf } from './lock-defaults.js';
import type { LockService } from '../locks/lock-service.js';
import { profileOf } from './lock-profiles.js';
import { chainOf, prototypeOf, wrappersOf } from './locked-instances.js';
import { type LockedMark, marksOf } from './locked-mark.js';
import type { LockedOptions } from './locked-options.js';
import { isRegistered, sharedLocksToken } from './locks-token.js';

/**
 * One lock of a method, as `lockedMethods` lists it.
 *
 * @publicApi
 */
export interface LockedMethod {
  /** The class whose instances have the method. */
  readonly className: string;
  /** The method; undefined for a LockInterceptor on a class, which locks all its handlers. */
  readonly method: string | symbol | undefined;
  /** What locks it. */
  readonly by: '@Locked' | '@LockedStream' | 'LockInterceptor';
  /** The names and templates; undefined when a function makes the names of each call. */
  readonly names: readonly string[] | undefined;
  /** The label of its calls; undefined when there is none, and when a function makes the label of each call. */
  readonly label: string | undefined;
  /** The registration that it locks with; undefined for the default one. */
  readonly registration: string | undefined;
  /** The profile that it uses. */
  readonly profile: string | undefined;
  /** Its options together with those of `@LockDefaults` and of the profile; the registration decides about all others. */
  readonly options: Readonly<Omit<LockedOptions, 'signal' | 'label' | 'locks' | 'profile'>>;
}

// What @UseInterceptors() writes on classes and handlers.
const INTERCEPTORS = '__interceptors__';

/**
 * Which methods of an application lock what: each `@Locked`, `@LockedStream` and LockInterceptor on the providers,
 * controllers, resolvers and gateways of all modules, for documentation, tests and tools. A method with several locks is
 * listed once for each, the outermost first, and a class that several modules provide is listed once. Interceptors that are
 * bound to the whole application are not listed.
 *
 * @publicApi
 */
export function lockedMethods(app: Pick<INestApplicationContext, 'get'>): LockedMethod[] {
  const modules = app.get(ModulesContainer, { strict: false });
  const found: LockedMethod[] = [];
  const seen = new Set<unknown>();
  for (const wrapper of wrappersOf(modules)) {
    const prototype = prototypeOf(wrapper);
    if (prototype === undefined) continue;
    const owner: unknown = (prototype as { constructor?: unknown }).constructor;
    if (seen.has(owner) || typeof owner !== 'function') continue;
    seen.add(owner);
    const listed = (mark: LockedMark, method?: string | symbol): LockedMethod =>
      described(mark, owner.name, method, (registration) =>
        isRegistered(modules, registration)
          ? app.get<LockService>(sharedLocksToken(registration), { strict: false })
          : undefined,
      );
    for (const mark of interceptorsOn(owner)) found.push(listed(mark));
    for (const [name, method] of methodsOf(prototype))
      for (const mark of [...interceptorsOn(method), ...marksOf(method)]) found.push(listed(mark, name));
  }
  return found;
}

/** The methods of an object by name; those that are overridden are left out. */
function methodsOf(object: object): Map<string | symbol, object> {
  const methods = new Map<string | symbol, object>();
  const seen = new Set<string | symbol>();
  for (const at of chainOf(object))
    for (const name of Reflect.ownKeys(at)) {
      const value: unknown = Reflect.getOwnPropertyDescriptor(at, name)?.value;
      if (!seen.has(name) && name !== 'constructor' && typeof value === 'function') methods.set(name, value);
      seen.add(name);
    }
  return methods;
}

function interceptorsOn(place: object): readonly LockedMark[] {
  const bound = (Reflect.getMetadata(INTERCEPTORS, place) ?? []) as readonly unknown[];
  return bound.flatMap((each) => {
    const type: unknown = typeof each === 'function' ? each : (each as object | null)?.constructor;
    return typeof type === 'function' ? marksOf(type) : [];
  });
}

function described(
  { decorator, texts, label, options: given, target }: LockedMark,
  className: string,
  method: string | symbol | undefined,
  locksOf: (registration: string | undefined) => LockService | undefined,
): LockedMethod {
  const defaults = target && lockDefaultsOf(target);
  const profile = profileNameOf(given, defaults);
  const locks = profile === undefined ? undefined : locksOf(given.locks);
  const known = locks && profile !== undefined ? profileOf(locks, profile) : undefined;
  const {
    locks: registration,
    profile: _,
    signal: __,
    label: ownLabel = label,
    ...options
  } = combinedOptions(given, defaults, known);
  return {
    className,
    method,
    by: decorator,
    names: texts,
    label: typeof ownLabel === 'string' ? ownLabel : undefined,
    registration,
    profile,
    options,
  };
}
