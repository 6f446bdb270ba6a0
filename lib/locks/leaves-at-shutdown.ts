/** The key of an option that callers do not write: what waits for the caller says it. */
export const LEAVES_AT_SHUTDOWN = Symbol('leaves at shutdown');

/**
 * Whether a call that waits for a lock leaves when the servers of the process are about to close: a request that
 * waits holds up its server, while the job of a queue that is refused may be lost.
 */
export interface LeavesAtShutdown {
  readonly [LEAVES_AT_SHUTDOWN]?: boolean;
}
