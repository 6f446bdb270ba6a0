import { Inject } from '@nestjs/common';
import type { LockService } from '../locks/lock-service.js';
import { getLocksToken } from './locks-token.js';

const NEED = 'LockService, needed by @Locked: import DistributedLockModule.forRoot(';

/**
 * The hidden property in which an instance keeps the LockService of a registration. Nest prints the
 * description when the module is missing. Registered symbols need no table of ours.
 */
export function lockSlot(registration?: string): symbol {
  return Symbol.for(registration === undefined ? `${NEED})` : `${NEED}{ name: '${registration}' })`);
}

/**
 * Gives a prototype the slot, and asks Nest to fill it in every instance that Nest makes. What it holds
 * lives in a WeakMap, so instances stay free of own properties, may be frozen, and serve two applications.
 */
export function openSlot(prototype: object, registration?: string): void {
  const slot = lockSlot(registration);
  if (!(slot in prototype)) {
    const held = new WeakMap<object, LockService>();
    Object.defineProperty(prototype, slot, {
      get(this: object) {
        return held.get(this);
      },
      set(this: object, locks: LockService) {
        held.set(this, locks);
      },
    });
  }
  Inject(getLocksToken(registration))(prototype, slot);
}

/** What the instance holds for a registration; undefined when nobody filled the slot. */
export function readSlot(instance: unknown, registration?: string): LockService | undefined {
  if (instance === undefined || instance === null) return undefined;
  return (instance as Record<symbol, LockService | undefined>)[lockSlot(registration)];
}

/** Fills the slot of one registration; false when the instance has none. */
export function fillSlot(instance: object, registration: string | undefined, locks: LockService): boolean {
  return (
    Reflect.has(instance, lockSlot(registration)) && Reflect.set(instance, lockSlot(registration), locks)
  );
}

/** The slots that an instance's classes opened, of every registration. */
export function slotsOf(instance: object): symbol[] {
  const slots = new Set<symbol>();
  for (let at: object | null = instance; at !== null; at = Object.getPrototypeOf(at) as object | null)
    for (const symbol of Object.getOwnPropertySymbols(at))
      if (Symbol.keyFor(symbol)?.startsWith(NEED)) slots.add(symbol);
  return [...slots];
}
