import type { ModulesContainer } from '@nestjs/core';
import { LockExceptionFilter, NoFilter } from './lock-exception-filter.js';
import { isGateway } from './locked-method.js';

/** What `@UseFilters` writes on a class. */
const FILTERS = '__exceptionFilters__';

/**
 * Stands on the class of a gateway, which belongs to all applications of the process. It catches nothing, except in the
 * applications that have put their own filter in its place.
 */
class GatewayFilter extends NoFilter {}

/**
 * Binds the filter to every gateway of an application, as `@UseFilters(LockExceptionFilter)` on its class would: Nest does
 * not use global filters for gateways. The filter comes last, after those that the application bound to the gateway and
 * its methods. Nest reads them when it connects the gateways, which is after the providers have been made.
 */
export function bindToGateways(modules: ModulesContainer, filter: LockExceptionFilter): void {
  for (const module of modules.values())
    for (const { metatype } of [...module.providers.values()]) {
      if (typeof metatype !== 'function' || !isGateway(metatype)) continue;
      const bound = (Reflect.getMetadata(FILTERS, metatype) ?? []) as unknown[];
      if (bound.includes(LockExceptionFilter)) continue; // the application itself has bound it
      if (!bound.includes(GatewayFilter))
        Reflect.defineMetadata(FILTERS, [GatewayFilter, ...bound], metatype);
      // Nest makes one for a class that an earlier application had.
      if (module.injectables.get(GatewayFilter)?.instance instanceof LockExceptionFilter) continue;
      module.addInjectable({ provide: GatewayFilter, useValue: filter }, 'filter');
    }
}
