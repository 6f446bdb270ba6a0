/** Who made a call, as a decorator knows it: for hints, and for a method that overrides a locked method and calls it. */
export interface CallOrigin {
  /** Where the decorator stands, for people: `@Locked on StockService.reserve`. */
  readonly place: string;
  /** The instance, where a method and the one that it overrides are both locked. */
  readonly self?: object;
  /** The prototype that the decorated method belongs to, and the method's key. */
  readonly target: object;
  readonly property: string | symbol;
  /** Refuses what the method's promise resolved with, by an error. A check here spares each call a promise. */
  readonly checkResult?: ((value: unknown) => void) | undefined;
}

/** The key under which options carry it: a symbol, so that no user's option can collide with it. */
export const ORIGIN = Symbol('the origin of a call');

/** What options may carry beside what users give. */
export interface WithOrigin {
  readonly [ORIGIN]?: CallOrigin | undefined;
}

/** Whether the inner call is `super.method()` of the outer one: the same method on the same instance, further up. */
export function isSuperCall(inner: CallOrigin, outer: CallOrigin | undefined): boolean {
  return (
    outer?.self !== undefined &&
    inner.self === outer.self &&
    inner.property === outer.property &&
    Object.prototype.isPrototypeOf.call(inner.target, outer.target)
  );
}

/** The key of an option that callers do not write: what waits for the caller says it. */
export const LEAVES_AT_SHUTDOWN = Symbol('leaves at shutdown');

/**
 * Whether a call that waits for a lock leaves when the servers of the process are about to close: a request that
 * waits holds up its server, while the job of a queue that is refused may be lost.
 */
export interface LeavesAtShutdown {
  readonly [LEAVES_AT_SHUTDOWN]?: boolean;
}
