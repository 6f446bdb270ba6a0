import type { ModulesContainer } from '@nestjs/core';
import { LockExceptionFilter } from './lock-exception-filter.js';

/** What `@WebSocketGateway` and `@UseFilters` write on a class. */
const IS_GATEWAY = 'websockets:is_gateway';
const FILTERS = '__exceptionFilters__';

/**
 * Binds the filter to every gateway of an application, as `@UseFilters(LockExceptionFilter)` on its class would: Nest does
 * not use global filters for gateways. The filter comes last, after those that the application bound to the gateway and
 * its methods. Nest reads them when it connects the gateways, which is after the providers have been made.
 */
export function bindToGateways(modules: ModulesContainer, filter: LockExceptionFilter): void {
  for (const module of modules.values())
    for (const { metatype } of [...module.providers.values()]) {
      if (typeof metatype !== 'function' || !Reflect.hasMetadata(IS_GATEWAY, metatype)) continue;
      const bound = (Reflect.getMetadata(FILTERS, metatype) ?? []) as unknown[];
      // A class belongs to all applications of the process; the instance belongs to this one, and is in its module.
      if (!bound.includes(LockExceptionFilter))
        Reflect.defineMetadata(FILTERS, [LockExceptionFilter, ...bound], metatype);
      if (!module.injectables.has(LockExceptionFilter))
        module.addInjectable({ provide: LockExceptionFilter, useValue: filter }, 'filter');
    }
}
