import type { StreamableFile } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { shown } from '../base/duration.js';
import { type LockBusyError, LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';

/**
 * One name, or several that are locked together, all or none.
 *
 * @publicApi
 */
export type LockNames = string | readonly string[];

/**
 * What `@Locked` locks: names, or a function of the method's arguments that returns them.
 *
 * @publicApi
 */
export type LockKey = LockNames | ((...args: never[]) => LockNames);

/**
 * Where `@Locked` gets the signal of a call from: a function of the method's arguments, like the key.
 *
 * @publicApi
 */
export type LockSignal = (...args: never[]) => AbortSignal | undefined;

/**
 * What happens to a call that did not get the lock: see the option `onBusy`.
 *
 * @publicApi
 */
export type OnBusy = 'throw' | 'skip' | ((error: LockBusyError) => unknown);

type Steps = AsyncGenerator<unknown, unknown, unknown>;

/** What a method that can be locked returns. */
type Lockable = PromiseLike<unknown> | Steps;

/** What `onBusy` returns instead of the method: never, when it throws, and unknown, when its type does not tell. */
type Fallback<B> = B extends 'skip'
  ? undefined
  : B extends (...args: never[]) => infer V
    ? OrUndefined<Awaited<V>>
    : never;
type OrUndefined<V> = V extends void ? undefined : V;
/** Whether the types tell what `onBusy` returns. */
type Told<B> = [Fallback<B>] extends [never] ? false : unknown extends Fallback<B> ? false : true;

/** What a caller gets from a method, apart from what a generator yields. */
type Resolved<R> = R extends AsyncGenerator<unknown, infer V> ? V : Awaited<R>;

type FitsResult<B, R> = Told<B> extends true ? (Fallback<B> extends Resolved<R> ? true : false) : true;

/**
 * What a method must be like to be locked by a key `K` with a signal `S` and an answer `B` for busy locks. The type tests
 * the *functions*, not their parameters, so that they may take fewer or wider parameters than the method.
 */
export type Accepts<K, S, M, B = undefined> = M extends (...args: infer A) => infer R
  ? R extends Lockable
    ? Fits<K, A> extends true
      ? Fits<S, A> extends true
        ? FitsResult<B, R> extends true
          ? unknown
          : { 'the method does not return what onBusy returns': Fallback<B> }
        : { 'the signal function does not fit the parameters of the method': A }
      : { 'the key function does not fit the parameters of the method': A }
    : R extends Observable<unknown>
      ? {
          'a locked method returns a promise or an async generator; for Observables there is @LockedStream': never;
        }
      : { 'a locked method returns a promise or an async generator': never }
  : never;

type Fits<F, A extends readonly unknown[]> = F extends (...args: never[]) => unknown
  ? F extends (...args: A) => unknown
    ? true
    : false
  : true;

/**
 * The same as a constraint on the parameters. TypeScript can decide it even when their types come from a generic class,
 * where it leaves a conditional type undecided.
 */
export type ParametersFor<F> = F extends (...args: infer P) => unknown
  ? P extends never[]
    ? readonly unknown[]
    : number extends P['length']
      ? P
      : readonly [...P, ...unknown[]]
  : readonly unknown[];

/**
 * A method that takes `A` and returns `R`, and in whose place another may stand that returns `X`. The type of `set` says
 * so, since TypeScript compares it in the opposite direction.
 */
interface Replaceable<A extends readonly unknown[], R, X> {
  readonly value?: (...args: A) => R;
  readonly set?: (value: (...args: A) => X) => void;
}

/** The same, where it is known what `onBusy` returns. */
type WithFallback<A extends readonly unknown[], R, B, X> =
  Told<B> extends true ? Replaceable<A, R, X> : { readonly value?: (...args: A) => R };

/** Streams that a method may hand out in a promise, by what they can do: see `streamKindOf`. */
type StreamLike = Observable<unknown> | Steps | StreamableFile | WebStream | WebResponse | NodeStream;
interface WebStream {
  getReader(): unknown;
  tee(): unknown;
  readonly locked: boolean;
}
interface WebResponse {
  readonly body: unknown;
  readonly bodyUsed: boolean;
  readonly status: number;
  arrayBuffer(): unknown;
}
interface NodeStream {
  readonly readable: boolean;
  readonly readableFlowing: boolean | null;
  read(): unknown;
  pipe(destination: never): unknown;
}
/** A stream that is written to, but transforms nothing, such as a socket: its work is to connect. */
interface SocketLike extends NodeStream {
  readonly writable: boolean;
  readonly _transform?: never;
}

/** Nothing for a type that is known to be a stream, and otherwise what no descriptor has. */
type OnlyStreams<V> = 0 extends 1 & V
  ? NoStream // any
  : [V] extends [never]
    ? NoStream
    : [V] extends [StreamLike]
      ? [V] extends [SocketLike]
        ? NoStream
        : unknown
      : NoStream;
interface NoStream {
  readonly 'no stream': never;
}

/** What no decorator may return, so that TypeScript reports what it says. */
interface Refusal {
  readonly 'the work of this stream goes on after the method has returned: use LockInterceptor, @LockedStream or async *': never;
}

/**
 * A decorator that only compiles on methods that return a promise or an async generator, that the key `K` and the signal
 * `S` fit, and that may return what `onBusy` (`B`) returns. It is a `MethodDecorator` as well, for `applyDecorators` and for
 * factories that are declared to return one; those check nothing. (TypeScript compares a type of several signatures to
 * MethodDecorator without their type parameters. That is what lets it be composed.)
 *
 * @publicApi
 */
export interface LockedDecorator<K, S = undefined, B = undefined> {
  // When none fits, TypeScript goes on with what the first one returns.
  <A extends ParametersFor<K> & ParametersFor<S>, R extends Steps>(
    target: object,
    property: string | symbol,
    descriptor: WithFallback<A, R, B, AsyncGenerator<never, Fallback<B>>>,
  ): void;
  <A extends ParametersFor<K> & ParametersFor<S>, R>(
    target: object,
    property: string | symbol,
    descriptor: { readonly value?: (...args: A) => PromiseLike<R> } & OnlyStreams<R>,
  ): Refusal;
  <A extends ParametersFor<K> & ParametersFor<S>, R extends PromiseLike<unknown>>(
    target: object,
    property: string | symbol,
    descriptor: WithFallback<A, R, B, Promise<Fallback<B>>>,
  ): void;
  <M>(
    target: object,
    property: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & Accepts<K, S, M, B>,
  ): void;
}

/** What `onBusy` emits; never, where it emits nothing or where its type does not tell. */
type Emitted<B> = Told<B> extends true ? Exclude<Fallback<B>, undefined> : never;

/** What a method that `@LockedStream` stands on must be like; see {@link Accepts}. */
type AcceptsStream<K, S, M, B> = M extends (...args: infer A) => infer R
  ? R extends Observable<unknown>
    ? Fits<K, A> extends true
      ? Fits<S, A> extends true
        ? Observable<Emitted<B>> extends R
          ? unknown
          : { 'callers get an Observable, also of what onBusy returns': Emitted<B> }
        : { 'the signal function does not fit the parameters of the method': A }
      : { 'the key function does not fit the parameters of the method': A }
    : {
        '@LockedStream stands on methods that return an Observable; for promises and async generators there is @Locked': never;
      }
  : never;

/**
 * A decorator that only compiles on methods that return an Observable, that the key `K` and the signal `S` fit, and that
 * may emit what `onBusy` (`B`) returns. It is a `MethodDecorator` as well.
 *
 * @publicApi
 */
export interface LockedStreamDecorator<K, S = undefined, B = undefined> {
  <A extends ParametersFor<K> & ParametersFor<S>, R extends Observable<unknown>>(
    target: object,
    property: string | symbol,
    descriptor: Replaceable<A, R, Observable<Emitted<B>>>,
  ): void;
  <M>(
    target: object,
    property: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & AcceptsStream<K, S, M, B>,
  ): void;
}

/**
 * Checks what a user locks.
 *
 * @throws LockUsageError for no names, and for names that cannot be locked
 */
export function checkNames(names: unknown, where: string): LockNames {
  if (!Array.isArray(names)) return checkName(names);
  if (names.length === 0)
    throw new LockUsageError(
      `${where} was given an empty array of names: it would lock nothing. Give at least one name.`,
    );
  return names.map(checkName);
}

/** Turns a key into the function that returns the names of a call; constant names are checked here, once. */
export function namesOf<A extends readonly unknown[]>(
  key: LockNames | ((...args: never[]) => LockNames),
  where: string,
): (self: unknown, args: A) => LockNames {
  if (typeof key === 'function')
    return (self, args) => checkNames(Reflect.apply(key, self, args) as unknown, where);
  if (typeof key !== 'string' && !Array.isArray(key))
    throw new LockUsageError(
      `${where} takes a name, an array of names, or a function that returns them; it was ${shown(key)}.`,
    );
  const names = checkNames(key, where);
  return () => names;
}
