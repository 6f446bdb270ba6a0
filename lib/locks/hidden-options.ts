/** Which decorated method made a call: for hints, and for methods that override a locked method and call it. */
export interface CallOrigin {
  /** Where the decorator stands, for people: `@Locked on StockService.reserve`. */
  readonly place: string;
  /** The instance, where a method and the one that it overrides are both locked. */
  readonly self?: object;
  /** The prototype that the decorated method belongs to, and the method's key. */
  readonly target: object;
  readonly property: string | symbol;
  /** Throws for a result that the method must not return. Checking it here saves each call a promise. */
  readonly checkResult?: ((value: unknown) => void) | undefined;
}

/** The key of the origin in the options: a symbol, so that no option of a user can collide with it. */
export const ORIGIN = Symbol('the origin of a call');

/** What options may carry besides what users give. */
export interface WithOrigin {
  readonly [ORIGIN]?: CallOrigin | undefined;
}

/** Whether the inner call is `super.method()` of the outer one: the same method of the same instance, further up the chain. */
export function isSuperCall(inner: CallOrigin, outer: CallOrigin | undefined): boolean {
  return (
    outer?.self !== undefined &&
    inner.self === outer.self &&
    inner.property === outer.property &&
    Object.prototype.isPrototypeOf.call(inner.target, outer.target)
  );
}

/** The key of what a call holds besides the leases of its async context: entries, and locks that it took just before. */
export const HELD = Symbol('what a call holds');

/** What a call holds besides the leases of its async context, the latest last. */
export interface WithHeld<L> {
  readonly [HELD]?: readonly L[];
}

/** The option of a call that holds these leases, too; none when there are none. */
export function holdingToo<L>(leases: readonly L[]): WithHeld<L> {
  return leases.length > 0 ? { [HELD]: leases } : {};
}

/** The key of an option that callers do not write: the decorator or interceptor sets it. */
export const LEAVES_AT_SHUTDOWN = Symbol('leaves at shutdown');

/**
 * Whether a waiting call gives up when the servers of the process are about to close. A request that waits holds up its
 * server, while a queue's job may be lost if it is refused.
 */
export interface LeavesAtShutdown {
  readonly [LEAVES_AT_SHUTDOWN]?: boolean;
}
