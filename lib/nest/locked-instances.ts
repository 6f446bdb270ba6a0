import type { ModulesContainer } from '@nestjs/core';
import { LockError, LockUsageError } from '../base/errors.js';
import type { LockService } from '../locks/lock-service.js';
import { combinedOptions, lockDefaultsOf, profileNameOf } from './lock-defaults.js';
import { profileOf } from './lock-profiles.js';
import { checkTogether, type LockedOptions } from './locked-options.js';
import { fillSlot, lockSlot } from './lock-slot.js';
import { checkLeaseParameters } from './locked-lease.js';
import { type LockedMark, marksOf } from './locked-mark.js';
import { checkRegistered } from './locks-token.js';
import { logOf } from './nest-log.js';
import { checkSchedule } from './scheduled-method.js';
import { checkHeard } from './unheard-method.js';

type ModuleOfNest = ModulesContainer extends Map<string, infer M> ? M : never;
type Wrapper = ModuleOfNest extends { providers: Map<unknown, infer W> } ? W : never;
type Factory = (...args: unknown[]) => unknown;

// Which services an application's instances are connected to; the entry goes when the application goes.
const servicesOf = new WeakMap<ModulesContainer, WeakSet<LockService>>();

/** The instances of an application whose classes have `@Locked` methods of one registration. */
export class LockedInstances {
  private readonly slot: symbol;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly registration: string | undefined,
  ) {
    this.slot = lockSlot(registration);
  }

  /**
   * Fills the slot of everything that `useFactory` and `useValue` have made or will make: at once, before any hook runs, for
   * each request or use if the scope says so, and in modules that are loaded later. Nest injects all other instances.
   */
  connect(locks: LockService): void {
    const connected = servicesOf.get(this.modules) ?? new WeakSet();
    if (connected.has(locks)) return;
    servicesOf.set(this.modules, connected.add(locks));
    eachNowAndLater(this.modules, (module) => {
      for (const collection of collectionsOf(module))
        eachNowAndLater(collection, (wrapper) => this.fill(wrapper, locks));
    });
  }

  /** Fills the slots of all present instances: a factory may still have been running during `connect`. */
  fillAll(locks: LockService): void {
    for (const wrapper of this.wrappers()) this.fillMade(wrapper, locks);
  }

  /**
   * @throws LockUsageError when a method or an interceptor refers to a profile that the registration does not have, when its
   * options do not go together with those of the profile and the registration, when a method refers to a registration that
   * the application does not have, when one asks for the lease of a lock that it does not take, and when one runs once per
   * fire without a schedule
   */
  checkMethods(locks: LockService): void {
    // A class may be provided in several modules.
    const [warned, unheard] = [new Set<object>(), new Set<object>()];
    for (const wrapper of this.wrappers()) {
      const prototype = prototypeOf(wrapper);
      for (const mark of marksOf(wrapper.metatype ?? {})) this.checkProfile(mark, locks);
      if (prototype === undefined) continue;
      for (const each of chainOf(prototype)) checkLeaseParameters(each);
      for (const method of methodsOf(prototype)) {
        const marks = marksOf(method);
        const oncePerFire = marks.some(({ options }) => options.fires);
        for (const mark of marks) {
          // Nest itself finds that a class lacks a registration, unless a factory makes its instances.
          checkRegistered(this.modules, mark.options.locks, `${mark.where} locks with`);
          const options = this.checkProfile(mark, locks);
          // A lock around one that runs once per fire may be a bare one.
          if (options && (options.fires || !oncePerFire))
            checkSchedule(prototype, method, options as LockedOptions, warned, logOf(locks));
          // NestJS 12 makes such a gateway for each client, and hands its errors to the filters.
          if (options && wrapper.isDependencyTreeStatic())
            checkHeard(prototype, method, unheard, logOf(locks));
        }
      }
    }
  }

  /** The options of a method with its profile, checked together; undefined when it locks with another registration. */
  private checkProfile(
    { options, target, where }: LockedMark,
    locks: LockService,
  ): LockedMark['options'] | undefined {
    if (options.locks !== this.registration) return undefined;
    const defaults = target && lockDefaultsOf(target);
    const name = profileNameOf(options, defaults);
    try {
      const profile = name === undefined ? undefined : profileOf(locks, name);
      const combined = combinedOptions(options, defaults, profile);
      checkTogether(combined, locks);
      return combined;
    } catch (error) {
      if (!LockError.is(error)) throw error;
      const uses = name === undefined ? '' : ` uses the profile '${name}'`;
      throw new LockUsageError(`${where}${uses}: ${error.message}`);
    }
  }

  private fill(wrapper: Wrapper, locks: LockService): void {
    const fill = this.fillMade(wrapper, locks);
    if (fill && wrapper.metatype && !wrapper.isAlias)
      wrapper.metatype = filling(wrapper.metatype as Factory, fill);
  }

  /** Fills the instances of a wrapper; returns the function that fills one, or undefined when Nest injects them. */
  private fillMade(wrapper: Wrapper, locks: LockService): (<T>(made: T) => T) | undefined {
    if (!wrapper.isNotMetatype) return undefined;
    const fill = <T>(made: T): T => {
      if (isObject(made)) fillSlot(made, this.slot, locks);
      return made;
    };
    const transients = wrapper.getStaticTransientInstances().map((each) => each?.instance);
    for (const made of [wrapper.instance, ...transients]) {
      if (made instanceof Promise)
        made.then(fill, () => undefined); // whoever awaits the promise learns of its failure
      else fill(made);
    }
    return fill;
  }

  private wrappers(): Generator<Wrapper> {
    return wrappersOf(this.modules);
  }
}

/** All providers, controllers and injectables of an application. */
export function* wrappersOf(modules: ModulesContainer): Generator<Wrapper> {
  for (const module of modules.values())
    for (const collection of collectionsOf(module)) yield* collection.values();
}

const collectionsOf = ({ providers, controllers, injectables }: ModuleOfNest): Map<unknown, Wrapper>[] => [
  providers,
  controllers,
  injectables,
];

/** The same factory, filling what it makes. Nest awaits its result in any case. */
function filling(factory: Factory, fill: <T>(made: T) => T): Factory {
  const fillWhenMade = async (made: unknown): Promise<unknown> => fill(await made);
  return new Proxy(factory, {
    apply(target, self, args) {
      const made: unknown = Reflect.apply(target, self, args);
      return typeof (made as PromiseLike<unknown> | null | undefined)?.then === 'function'
        ? fillWhenMade(made)
        : fill(made);
    },
  });
}

/** Visits the values of a map, and those that are set later. */
function eachNowAndLater<K, V>(map: Map<K, V>, visit: (value: V) => void): void {
  for (const value of map.values()) visit(value);
  const set = map.set.bind(map);
  Object.defineProperty(map, 'set', {
    configurable: true,
    writable: true,
    value: (key: K, value: V) => {
      set(key, value);
      visit(value);
      return map;
    },
  });
}

/**
 * The prototype of a provider or controller, whose methods decorators stand on. A value of the application itself is not
 * searched: it may be a buffer or an array with millions of properties.
 */
export function prototypeOf(wrapper: Wrapper): object | undefined {
  const { metatype, instance } = wrapper as { metatype: unknown; instance: unknown };
  const prototype = wrapper.isNotMetatype
    ? isObject(instance) && Reflect.getPrototypeOf(instance)
    : (metatype as { prototype?: unknown } | null)?.prototype;
  return isObject(prototype) ? prototype : undefined;
}

/** An object and its prototypes, without that of all objects. */
export function* chainOf(object: object): Generator<object> {
  for (
    let at: object | null = object;
    at !== null && at !== Object.prototype;
    at = Reflect.getPrototypeOf(at)
  )
    yield at;
}

function* methodsOf(object: object): Generator<object> {
  for (const at of chainOf(object))
    for (const key of Reflect.ownKeys(at)) {
      const value: unknown = Reflect.getOwnPropertyDescriptor(at, key)?.value;
      if (typeof value === 'function') yield value;
    }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
