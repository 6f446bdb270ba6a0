import type { ModulesContainer } from '@nestjs/core';
import type { LockService } from '../locks/lock-service.js';
import { profileOf } from './lock-profiles.js';
import { fillSlot, lockSlot } from './lock-slot.js';
import { lockedOptionsOf } from './locked-method.js';

type Wrapper =
  ModulesContainer extends Map<string, infer M>
    ? M extends { providers: Map<unknown, infer W> }
      ? W
      : never
    : never;

/** The instances of an application whose classes have `@Locked` methods of one registration. */
export class LockedInstances {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly registration: string | undefined,
  ) {}

  /** Fills the slot of what `useFactory` and `useValue` made; Nest has injected the others. */
  fill(locks: LockService): void {
    for (const wrapper of this.wrappers())
      if (wrapper.isNotMetatype)
        for (const made of [
          wrapper.instance,
          ...wrapper.getStaticTransientInstances().map((each) => each?.instance),
        ])
          if (isObject(made)) fillSlot(made, this.registration, locks);
  }

  /** @throws LockUsageError when a method refers to a profile that the registration does not have */
  checkProfiles(locks: LockService): void {
    for (const wrapper of this.wrappers()) {
      const prototype: unknown = wrapper.isNotMetatype
        ? wrapper.instance
        : (wrapper.metatype as { prototype?: unknown } | null)?.prototype;
      if (!isObject(prototype) || !Reflect.has(prototype, lockSlot(this.registration))) continue;
      for (const method of methodsOf(prototype))
        for (const options of lockedOptionsOf(method))
          if (options.profile !== undefined && options.locks === this.registration)
            profileOf(locks, options.profile);
    }
  }

  private *wrappers(): Generator<Wrapper> {
    for (const { providers, controllers, injectables } of this.modules.values())
      for (const collection of [providers, controllers, injectables]) yield* collection.values();
  }
}

function* methodsOf(object: object): Generator<object> {
  for (
    let at: object | null = object;
    at !== null && at !== Object.prototype;
    at = Reflect.getPrototypeOf(at)
  )
    for (const { value } of Object.values(Object.getOwnPropertyDescriptors(at)))
      if (typeof value === 'function') yield value as object;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
