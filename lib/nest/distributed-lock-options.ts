import type { ConfigurableModuleAsyncOptions } from '@nestjs/common';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import type { LockServiceOptions } from '../locks/lock-options.js';
import { namesFor } from '../locks/option-table.js';
import type { HttpMappingOptions } from './http-exception.js';
import type { LockProfile } from './locked-options.js';

/**
 * What `DistributedLockModule.forRoot` takes in addition to `name` and `isGlobal`. Each option may be left out or be
 * undefined.
 *
 * @publicApi
 */
export interface DistributedLockOptions extends LockServiceOptions {
  /** Named sets of options for `@Locked(key, { profile })`; a missing profile fails the start. @default none */
  readonly profiles?: Readonly<Record<string, LockProfile>> | undefined;
  /**
   * Whether lock errors that leave a handler are answered: over HTTP with 423 (busy) or 503 (closed, store, lost), and on
   * the other transports in their way; an object chooses the status for busy. `false` leaves the errors to the
   * application's own filters, see `toHttpException` and `lockErrorBody`.
   * @default true
   */
  readonly filter?: boolean | HttpMappingOptions | undefined;
}

/**
 * What `forRoot` and `forRootAsync` take in addition to the options that a factory may return.
 *
 * @publicApi
 */
export interface DistributedLockExtras {
  /** Whether every module may inject the locks without importing this one. @default true */
  isGlobal?: boolean | undefined;
  /** The name of this registration, when there are several: see `InjectLocks`. @default the default registration */
  name?: string | undefined;
}

/**
 * What a class given as `useClass` or `useExisting` to `forRootAsync` implements.
 *
 * @publicApi
 */
export interface DistributedLockOptionsFactory {
  createLockOptions(): DistributedLockOptions | Promise<DistributedLockOptions>;
}

/**
 * What `DistributedLockModule.forRootAsync` takes: `useFactory` (with `inject`), `useClass` or `useExisting`.
 *
 * @publicApi
 */
export type DistributedLockAsyncOptions = ConfigurableModuleAsyncOptions<
  DistributedLockOptions,
  'createLockOptions'
> &
  DistributedLockExtras;

const KNOWN: ReadonlySet<string> = new Set([...namesFor('registration'), 'profiles', 'filter']);
const EXTRAS = ['name', 'isGlobal'];

/**
 * Checks that the options of a registration exist. Their values are checked where they are used.
 *
 * @throws LockUsageError that names the unknown option and lists the known ones
 */
export function checkModuleOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw new LockUsageError(
      `The options of DistributedLockModule must be an object; they were ${shown(options)}.`,
    );
  const unknown = Object.keys(options).find((option) => !KNOWN.has(option));
  if (unknown === undefined) return;
  throw new LockUsageError(
    EXTRAS.includes(unknown)
      ? `A factory cannot choose the option '${unknown}'; write it beside the factory: forRootAsync({ ${unknown}: …, useFactory }).`
      : `DistributedLockModule has no option '${unknown}'; its options are ${[...KNOWN, ...EXTRAS].join(', ')}.`,
  );
}
