import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Runs something outside the async context of whoever happens to be the first to need it. What we open lives longer
 * than the request that opened it: its events must not see that request's tenant, its trace or its locks, and must not
 * keep them in memory.
 */
export const outsideContext: <T>(run: () => T) => T = AsyncLocalStorage.snapshot();
