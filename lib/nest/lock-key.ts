import type { StreamableFile } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { shown } from '../base/duration.js';
import { type LockBusyError, LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';
import { LONGEST_LABEL, OPTIONS } from '../locks/option-table.js';
import { KeyTemplate, type TemplateParameters } from './key-template.js';

/**
 * One name, or several that are locked together, all or none.
 *
 * @publicApi
 */
export type LockNames = string | readonly string[];

/**
 * What `@Locked` locks: names, templates of names, or a function of the method's arguments that returns names.
 *
 * A template is a name some of whose segments are placeholders: in `order:{0.id}:pay` the second segment is the property
 * `id` of the first argument. A placeholder is a whole segment, and has the position of a parameter (`{0}` to `{7}`) and
 * properties of it. It is checked at compile time that the value is there and is a string, a number, a bigint or a
 * boolean; it is escaped as by `lockName`, so that different values never give the same name. Positions are readable in
 * minified code, and TypeScript can check them; names of parameters are neither. The fixed segments are the label of the
 * call (`order:pay`), unless there is an option `label`.
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
 * What operators see of a call, and what tells kinds of calls apart: a text, or a function of the method's arguments.
 *
 * @publicApi
 */
export type LockLabel = string | ((...args: never[]) => string);

/**
 * What happens to a call that did not get the lock: see the option `onBusy`.
 *
 * @publicApi
 */
export type OnBusy = 'throw' | 'skip' | ((error: LockBusyError) => unknown);

type Steps = AsyncGenerator<unknown, unknown, unknown>;

/** Stands for what was cut off. */
const MORE = '…';

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
 * What a method must be like to be called with its arguments by the functions `F`, and to have an answer `B` for busy locks.
 * The type tests the *functions*, not their parameters, so that they may take fewer or wider parameters than the method.
 */
type Accepts<F, M, B = undefined> = M extends (...args: infer A) => infer R
  ? R extends Lockable
    ? [Fits<F, A>] extends [true]
      ? FitsResult<B, R> extends true
        ? unknown
        : { 'the method does not return what onBusy returns': Fallback<B> }
      : Misfit<A>
    : R extends Observable<unknown>
      ? {
          'a locked method returns a promise or an async generator; for Observables there is @LockedStream': never;
        }
      : { 'a locked method returns a promise or an async generator': never }
  : never;

/** True, or also false when one of the functions does not fit. */
type Fits<F, A extends readonly unknown[]> = F extends (...args: infer P) => unknown
  ? [P, never[]] extends [never[], P] // nobody knows what it takes
    ? true
    : F extends (...args: A) => unknown
      ? true
      : false
  : false;

interface Misfit<A> {
  readonly 'the key, the signal or the label does not fit the parameters of the method': A;
}

/** What `onBusy` returns in place of a promise, a generator or a stream, and never where its type does not tell. */
export type Promised<B> = Told<B> extends true ? Promise<Fallback<B>> : never;
type Stepped<B> = Told<B> extends true ? AsyncGenerator<never, Fallback<B>> : never;
export type Streaming<B> = Observable<Emitted<B>>;

/** The functions that a key, a signal or a label is: a template is one that takes what it reads. */
export type Taking<K, X> = K extends (...args: infer P) => unknown
  ? (...args: P) => X
  : K extends undefined
    ? () => X
    : TemplateParameters<K> extends infer P extends readonly unknown[]
      ? P extends unknown
        ? (...args: P) => X
        : never
      : never;

/**
 * The same functions for a comparison with a method. TypeScript compares parameters with those of a *method* in either
 * direction: it lets a key that reads a text stand in the place of a method that takes anything. But these here take one
 * rest whose type is a union, which is compared as a whole with all parameters of the method; those are no tuple that is
 * readonly, so one direction is never possible. The functions themselves say how many parameters there have to be.
 */
export type Exactly<F> = F extends (...args: infer P) => infer X
  ? [P, never[]] extends [never[], P] // nobody knows what it takes
    ? () => X
    : TakingExactly<P, X>
  : never;
export type TakingExactly<P extends readonly unknown[], X> =
  ((...args: P) => X) | ((...args: AtLeast<P> | readonly [typeof NONE]) => X);
declare const NONE: unique symbol;

/** The parameters that a method has to have, and any that follow. */
type AtLeast<P extends readonly unknown[]> = number extends P['length'] ? P : readonly [...P, ...unknown[]];

/** The same functions, but returning what may stand in place of a generator. */
type Stepping<F, B> = F extends (...args: infer P) => unknown ? (...args: P) => Stepped<B> : never;

/*
 * The parameter `descriptor` of a decorator is a TypedPropertyDescriptor of the method's type. That has a property `set`, a
 * function which takes a method of this type, so TypeScript compares it in the opposite direction: where our `set` takes an
 * `F`, it asks whether an `F` may stand in the place of the method. If `F` is the key, this is the question whether the key can
 * be called with the arguments of the method; if `F` returns what `onBusy` returns, also whether the method's callers expect
 * that. Signatures that have no type parameters can ask this. They cost the compiler far less than those that have some,
 * and it can decide them when the types of the parameters come from a generic class.
 */

/** A method that returns a `V`. */
interface Returning<V> {
  readonly value?: (...args: never[]) => V;
}
/** The same, when an `F` may stand in its place. */
interface Replaceable<V, F> {
  readonly value?: (...args: never[]) => V;
  readonly set?: (value: F) => void;
}

/**
 * Streams that a method may hand out in a promise, by what they can do: see `streamKindOf`. The types of their members are
 * open, since a subtype has to be one of a stream that its package declares loosely, too.
 */
type StreamLike = Observable<unknown> | Steps | StreamableFile | WebStream | WebResponse | NodeStream;
interface WebStream {
  readonly getReader: unknown;
  readonly tee: unknown;
  readonly locked: unknown;
}
interface WebResponse {
  readonly body: unknown;
  readonly bodyUsed: unknown;
  readonly status: unknown;
  readonly arrayBuffer: unknown;
}
interface NodeStream {
  readonly readable: unknown;
  readonly readableFlowing: unknown;
  readonly read: unknown;
  readonly pipe: unknown;
}
interface TransformLike extends NodeStream {
  readonly _transform: unknown;
}
/** A stream that is written to. One that is no {@link TransformLike} is such as a socket: its work is to connect. */
interface WritableLike extends NodeStream {
  readonly writable: unknown;
}
/** A stream that there is not. So it is what a method with type parameters of its own promises, and no other. */
interface AnyStream extends TransformLike {
  readonly [NONE]: never;
}
interface SocketLike extends WritableLike {
  readonly _transform?: never;
}

/** What no decorator may return, so that TypeScript reports what it says. */
interface Refusal {
  readonly 'the work of this stream goes on after the method has returned: use LockInterceptor, @LockedStream or async *': never;
}

/**
 * What the decorator of a method returns whose promise resolves with something that any stream may be: a refusal, unless it
 * is `any`, never or a socket and the method is accepted.
 */
type Streamed<F, M, B> = M extends (...args: never[]) => PromiseLike<infer V>
  ? 0 extends 1 & V
    ? Accepted<F, M, B>
    : [V] extends [SocketLike]
      ? Accepted<F, M, B>
      : [V] extends [StreamLike]
        ? Refusal
        : Accepted<F, M, B> // a method with type parameters of its own
  : Refusal;
type Accepted<F, M, B> = unknown extends Accepts<F, M, B> ? void : Accepts<F, M, B>;

/**
 * A decorator that only compiles on methods that return a promise or an async generator, and that the functions `F` fit: see
 * {@link Taking}; `E` are the same functions, see {@link Exactly}, and `B` is what `onBusy` is. It is a `MethodDecorator` as
 * well, for `applyDecorators` and for factories that are declared to return one; those check nothing. (TypeScript compares a
 * type of several signatures to MethodDecorator without their type parameters. That is what lets it be composed.)
 *
 * @publicApi
 */
export interface LockedDecorator<F, E, B = undefined> {
  // An application has thousands of these. The first five decide almost all of them, without a type parameter.
  (target: object, property: string | symbol, descriptor: Replaceable<Promise<AnyStream>, E>): void;
  (target: object, property: string | symbol, descriptor: Returning<Promise<TransformLike>>): Refusal;
  (target: object, property: string | symbol, descriptor: Replaceable<Promise<WritableLike>, E>): void;
  (target: object, property: string | symbol, descriptor: Returning<Promise<StreamLike>>): Refusal;
  (target: object, property: string | symbol, descriptor: Replaceable<Promise<unknown>, E>): void;
  (target: object, property: string | symbol, descriptor: Replaceable<Steps, Exactly<Stepping<F, B>>>): void;
  <M extends (...args: never[]) => PromiseLike<StreamLike>>(
    target: object,
    property: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): Streamed<F, M, B>;
  (target: object, property: string | symbol, descriptor: Replaceable<PromiseLike<unknown>, E>): void;
  // The functions that have optional parameters or a rest, and what is refused with a word.
  <M>(
    target: object,
    property: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & Accepts<F, M, B>,
  ): void;
}

/** What `onBusy` emits; never, where it emits nothing or where its type does not tell. */
type Emitted<B> = Told<B> extends true ? Exclude<Fallback<B>, undefined> : never;

/** What a method that `@LockedStream` stands on must be like; see {@link Accepts}. */
type AcceptsStream<F, M, B> = M extends (...args: infer A) => infer R
  ? R extends Observable<unknown>
    ? [Fits<F, A>] extends [true]
      ? Observable<Emitted<B>> extends R
        ? unknown
        : { 'callers get an Observable, also of what onBusy returns': Emitted<B> }
      : Misfit<A>
    : {
        '@LockedStream stands on methods that return an Observable; for promises and async generators there is @Locked': never;
      }
  : never;

/**
 * A decorator that only compiles on methods that return an Observable, that the functions `F` fit, and that may emit what
 * `onBusy` (`B`) returns: see {@link LockedDecorator}. It is a `MethodDecorator` as well.
 *
 * @publicApi
 */
export interface LockedStreamDecorator<F, E, B = undefined> {
  (target: object, property: string | symbol, descriptor: Replaceable<Observable<unknown>, E>): void;
  <M>(
    target: object,
    property: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & AcceptsStream<F, M, B>,
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

/** A key as the calls need it. */
export interface ParsedKey<A extends readonly unknown[] = readonly unknown[]> {
  readonly namesOf: (self: unknown, args: A) => LockNames;
  /** The names and templates; undefined when a function makes the names. */
  readonly texts: readonly string[] | undefined;
  /** What is the same in each name that templates make. */
  readonly label: string | undefined;
}

/** Parses a key; names and templates are checked here, once. @throws LockUsageError */
export function parsedKey<A extends readonly unknown[]>(
  key: LockNames | ((...args: never[]) => LockNames),
  where: string,
): ParsedKey<A> {
  if (typeof key === 'function') {
    const namesOf = (self: unknown, args: A): LockNames =>
      checkNames(Reflect.apply(key, self, args) as unknown, where);
    return { namesOf, texts: undefined, label: undefined };
  }
  if (typeof key !== 'string' && !Array.isArray(key))
    throw new LockUsageError(
      `${where} takes a name, an array of names, or a function that returns them; it was ${shown(key)}.`,
    );
  const names = checkNames(key, where);
  const texts = [names].flat();
  if (!texts.some((text) => KeyTemplate.is(text))) return { namesOf: () => names, texts, label: undefined };
  const templates = texts.map((text) => new KeyTemplate(text, where));
  const [only] = templates;
  const fixed = new Set(templates.flatMap((template) => template.fixed ?? []));
  return {
    namesOf:
      typeof names === 'string' && only
        ? (_, args) => only.nameOf(args)
        : (_, args) => templates.map((template) => template.nameOf(args)),
    texts,
    label: fixed.size === 0 ? undefined : OPTIONS.label.check(cut([...fixed].join(', ')), ''),
  };
}

/** A text that is short enough for a label. Nobody chose the one of a template, so it is cut and not refused. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= LONGEST_LABEL) return text;
  let left = LONGEST_LABEL - Buffer.byteLength(MORE);
  let kept = '';
  for (const character of text) {
    left -= Buffer.byteLength(character);
    if (left < 0) break;
    kept += character;
  }
  return kept + MORE;
}
