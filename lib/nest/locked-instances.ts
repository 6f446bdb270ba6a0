import type { ModulesContainer } from '@nestjs/core';
import type { LockService } from '../locks/lock-service.js';
import { profileOf } from './locked-options.js';
import { fillSlot, lockSlot } from './lock-slot.js';
import { checkLeaseParameters } from './locked-lease.js';
import { lockedOptionsOf } from './locked-method.js';

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
   * @throws LockUsageError when a method refers to a profile that the registration does not have, and when one asks for the
   * lease of a lock that it does not take
   */
  checkMethods(locks: LockService): void {
    for (const wrapper of this.wrappers()) {
      const prototype: unknown = wrapper.isNotMetatype
        ? wrapper.instance
        : (wrapper.metatype as { prototype?: unknown } | null)?.prototype;
      if (!isObject(prototype)) continue;
      for (const each of chainOf(prototype)) checkLeaseParameters(each);
      if (!Reflect.has(prototype, this.slot)) continue;
      for (const method of methodsOf(prototype))
        for (const options of lockedOptionsOf(method))
          if (options.profile !== undefined && options.locks === this.registration)
            profileOf(locks, options.profile);
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

  private *wrappers(): Generator<Wrapper> {
    for (const module of this.modules.values())
      for (const collection of collectionsOf(module)) yield* collection.values();
  }
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

/** An object and its prototypes, without that of all objects. */
function* chainOf(object: object): Generator<object> {
  for (
    let at: object | null = object;
    at !== null && at !== Object.prototype;
    at = Reflect.getPrototypeOf(at)
  )
    yield at;
}

function* methodsOf(object: object): Generator<object> {
  for (const at of chainOf(object))
    for (const { value } of Object.values(Object.getOwnPropertyDescriptors(at)))
      if (typeof value === 'function') yield value as object;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
