import { Inject } from '@nestjs/common';
import { LockUsageError } from '../base/errors.js';
import type { LockService } from '../locks/lock-service.js';
import { sharedLocksToken } from './locks-token.js';

const NEED = 'LockService, needed by @Locked: import DistributedLockModule.forRoot(';
const OR_COPIES = '; if it is imported, see: npm ls nestjs-distributed-lock';

/**
 * The hidden property in which an instance keeps the LockService of a registration. Nest prints its description when the
 * module is missing. It is a registered symbol, so that every copy of this package has the same one.
 */
export function lockSlot(registration?: string): symbol {
  const options = registration === undefined ? '' : `{ name: '${registration}' }`;
  return Symbol.for(`${NEED}${options})${OR_COPIES}`);
}

/**
 * Gives a prototype the slot, and asks Nest to fill it in every instance that Nest makes. The service lives in the
 * instance itself, in a property that is not enumerable: a proxy around the instance, the instance behind a proxy,
 * and an object made from it by `Object.create` all find it. A frozen instance is remembered beside the prototype.
 */
export function openSlot(prototype: object, registration?: string): symbol {
  const slot = lockSlot(registration);
  if (!(slot in prototype)) {
    const frozen = new WeakMap<object, LockService>();
    Object.defineProperty(prototype, slot, {
      get(this: object) {
        for (const each of chainOf(this)) if (frozen.has(each)) return frozen.get(each);
        return undefined;
      },
      set(this: object, locks: LockService) {
        for (const each of chainOf(this)) {
          // The object that this one was made from may belong to another application.
          if (each !== this && readSlot(each, slot) !== undefined) break;
          if (!keep(each, slot, locks)) frozen.set(each, locks);
        }
      },
    });
  }
  Inject(sharedLocksToken(registration))(prototype, slot);
  return slot;
}

/** The LockService of an instance; undefined when nobody filled the slot. */
export function readSlot(instance: unknown, slot: symbol): LockService | undefined {
  if (instance === undefined || instance === null) return undefined;
  return (instance as Record<symbol, LockService | undefined>)[slot];
}

/** Fills a slot that one of the instance's classes has opened. */
export function fillSlot(instance: object, slot: symbol, locks: LockService): void {
  if (Reflect.has(instance, slot)) Reflect.set(instance, slot, locks);
}

/** The slots that an instance's classes opened, of every registration. */
export function slotsOf(instance: object): symbol[] {
  const slots = new Set<symbol>();
  for (let at: object | null = instance; at !== null; at = Object.getPrototypeOf(at) as object | null)
    for (const symbol of Object.getOwnPropertySymbols(at))
      if (Symbol.keyFor(symbol)?.startsWith(NEED)) slots.add(symbol);
  return [...slots];
}

/** The instance, and the instances from which `Object.create` made it; not the prototypes of its classes. */
function* chainOf(instance: object): Generator<object> {
  yield instance;
  let at = Reflect.getPrototypeOf(instance);
  for (; at !== null && !Object.hasOwn(at, 'constructor'); at = Reflect.getPrototypeOf(at)) yield at;
}

function keep(instance: object, slot: symbol, locks: LockService): boolean {
  try {
    return Reflect.defineProperty(instance, slot, { value: locks, writable: true, configurable: true });
  } catch {
    return false; // a proxy that forbids it
  }
}

/**
 * Makes the `@Locked` methods of an instance use `locks`, whichever registration they name. It is for instances that Nest
 * did not make (`new Service()`, a request-scoped factory). Returns the instance.
 *
 * @throws LockUsageError when the class of the instance has no `@Locked` method
 * @publicApi
 */
export function withLocks<T extends object>(instance: T, locks: LockService): T {
  const slots = slotsOf(instance);
  if (slots.length === 0)
    throw new LockUsageError(
      `${instance.constructor?.name ?? 'The object'} has no @Locked method, so there is nothing to connect; ` +
        'pass an instance of a class with @Locked methods.',
    );
  for (const slot of slots) fillSlot(instance, slot, locks);
  return instance;
}
