// A LockService is made by DistributedLockModule or createLockService, and never by `new`. TypeScript checks this file
// with the rest of the tests, and test/house/plain-entry.spec.ts checks it against the types as they are published.
import type { INestApplicationContext } from '@nestjs/common';
import { createLockService, LockService } from 'nestjs-distributed-lock/plain';

export const made: LockService = createLockService();
export const known: boolean = made instanceof LockService;

// @ts-expect-error its constructor is private
export const locks = new LockService();

// @ts-expect-error and so nothing extends it
export class Derived extends LockService {}

/** Nest still knows its type. */
export function injected(app: INestApplicationContext): string {
  const found = app.get(LockService);
  // @ts-expect-error a LockService, and not any
  return found;
}
