import { LockUsageError } from '../base/errors.js';
import { importOf } from './locks-token.js';
import { mark, type LockedMark, marksOf } from './locked-mark.js';
import { discard, streamKindOf, type StreamKind } from './streamed-body.js';

export type Method = (this: unknown, ...args: unknown[]) => unknown;

// Properties that stay with the function itself; a generator's prototype cannot be moved.
const ITS_OWN: ReadonlySet<string | symbol> = new Set(['prototype', 'arguments', 'caller']);
const KINSHIP = Symbol.for('nestjs-distributed-lock:kinship');

/** The method that a decorator stands on; any other place is refused, and the error says what to do. */
export function methodOf(target: object, property: unknown, descriptor: unknown, where: string): Method {
  const [decorator] = where.split(' ');
  if (typeof property === 'object')
    throw new LockUsageError(
      `${decorator} needs experimentalDecorators, as the decorators of NestJS do: enable them in tsconfig.json.`,
    );
  if (property === undefined && typeof target === 'function' && descriptor === undefined)
    throw new LockUsageError(
      `${decorator} stands on the class ${target.name || 'without a name'}. It locks methods: put it on each method that ` +
        'should be locked, or put @UseInterceptors(LockInterceptor(…)) on a controller to lock all its routes.',
    );
  if (typeof descriptor === 'number')
    throw new LockUsageError(`${where} stands on a parameter. Put it on the method.`);
  if (typeof target === 'function')
    throw new LockUsageError(
      `${where} stands on a static method, which has no instance and therefore no LockService. ` +
        'Make it a method of a provider, or call locks.using() in it.',
    );
  const found = (descriptor ?? {}) as PropertyDescriptor;
  if (typeof found.value === 'function') return found.value as Method;
  throw new LockUsageError(
    found.get || found.set
      ? `${where} stands on an accessor. A lock takes time, so make it a method that returns a promise.`
      : `${where} stands on a property. Write it as a method: async name() { … }.`,
  );
}

/** Checks the tag instead of the constructor, so that functions of another realm are recognised, too. */
export function isAsyncGeneratorFunction(method: Method): boolean {
  return Object.prototype.toString.call(method) === '[object AsyncGeneratorFunction]';
}

/** Whether HTTP requests call it: `@Get`, `@Post` and the like have written their metadata on it. */
export function isHttpRoute(method: Method): boolean {
  return Reflect.hasOwnMetadata('path', method) && Reflect.hasOwnMetadata('method', method);
}

/** Whether a class is a gateway: `@WebSocketGateway` has written its metadata on it. */
export function isGateway(type: object): boolean {
  return Reflect.hasMetadata('websockets:is_gateway', type);
}

/** Whether it answers requests with server-sent events: `@Sse` has written its metadata on it. */
export function isEventStream(method: object): boolean {
  return Reflect.hasMetadata('__sse__', method);
}

/**
 * Makes the replacement look like the method: kind, name, length, properties, and all the metadata that
 * decorators below have written. Decorators above write on the replacement.
 */
export function takePlaceOf(method: Method, replacement: Method, added: LockedMark): void {
  Object.setPrototypeOf(replacement, Object.getPrototypeOf(method) as object);
  for (const key of Reflect.ownKeys(method))
    if (!ITS_OWN.has(key))
      Object.defineProperty(replacement, key, Reflect.getOwnPropertyDescriptor(method, key)!);
  for (const key of Reflect.getOwnMetadataKeys(method))
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), replacement);
  mark(replacement, added, marksOf(method));
}

/** Whether a locked method overrides another locked method, or is overridden by one; known when classes are defined. */
export interface Kinship {
  inherited: boolean;
}

/** Registers a locked method, and marks it and the methods that it overrides as related. */
export function kinshipOf(target: object, property: string | symbol): Kinship {
  const known = Reflect.getOwnMetadata(KINSHIP, target, property) as Kinship | undefined;
  const own = known ?? { inherited: false };
  for (let at = Reflect.getPrototypeOf(target); at !== null; at = Reflect.getPrototypeOf(at)) {
    const above = Reflect.getOwnMetadata(KINSHIP, at, property) as Kinship | undefined;
    if (above) above.inherited = own.inherited = true;
  }
  Reflect.defineMetadata(KINSHIP, own, target, property);
  return own;
}

/** Where a decorator stands, for messages: `StockService.reserve`. */
export function placeOf(target: object, property: unknown): string {
  const owner = typeof target === 'function' ? target : (target as object | undefined)?.constructor;
  return `${owner?.name || 'a class'}.${String(property)}`;
}

/**
 * What a method returned, which has to be a promise: the replacement always returns one, so a method that returns a plain
 * value would silently change its meaning. {@link refuseStream} checks what the promise resolves with.
 */
export function promised(result: unknown, where: string): PromiseLike<unknown> {
  refuseStream(result, where);
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function')
    throw new LockUsageError(
      `${where} stands on a synchronous method: callers would get a promise where they expect a value. ` +
        'Make the method async, or call locks.using() where it is called.',
    );
  return result as PromiseLike<unknown>;
}

/** Refuses a call on an instance without a LockService: the method never runs without its lock. */
export function refuseStranger(self: unknown, where: string, registration?: string): never {
  const name = (self as object | null | undefined)?.constructor?.name || 'Service';
  const module = importOf(registration);
  throw new LockUsageError(
    self === undefined || self === null
      ? `${where} was called without its instance; call it on the instance, or bind it.`
      : `${where} has no LockService: no application that imports ${module} has made this ${name}. ` +
          `If it was made with new, let Nest provide it, or call withLocks(instance, locks); in a unit test, ` +
          `withLocks(new ${name}(…)) from nestjs-distributed-lock/testing. If a factory of a module made it, it is ` +
          'used before the LockService exists: inject LockService into that factory, too. If Nest provides it, there ' +
          'are two copies of NestJS or two versions of this package: npm ls @nestjs/core nestjs-distributed-lock.',
  );
}

/** A schedule calls a method and waits for its promise; nobody reads a stream there. */
export function noFires(where: string): LockUsageError {
  return new LockUsageError(
    `${where} runs once per fire of a schedule, and nobody would read its stream: return a promise.`,
  );
}

const INTERCEPTOR =
  'In a controller put @UseInterceptors(LockInterceptor(…)) on the handler, which holds the lock until the response was sent; ' +
  'elsewhere read it to its end in the method, or write the method as async *name() { yield* … }.';
const REMEDIES: Readonly<Record<StreamKind, string>> = {
  'an Observable':
    'Put @LockedStream(…) on a method that returns an Observable, or return a promise: lastValueFrom(…).',
  'an async generator':
    'Declare the method itself as async *name() { yield* … }, and compile for es2018 or later.',
  'a StreamableFile': INTERCEPTOR,
  'a stream': INTERCEPTOR,
  'a Response': INTERCEPTOR,
};

/** Refuses a stream, whose work would begin, or go on, after the release. */
export function refuseStream(value: unknown, where: string): void {
  const kind = streamKindOf(value);
  if (kind === undefined) return;
  discard(value);
  throw new LockUsageError(
    `${where} stands on a method that hands out ${kind}, whose work would go on after the release. ${REMEDIES[kind]}`,
  );
}
