import { AsyncResource } from 'node:async_hooks';
import { Duplex, Readable, Transform } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import { isObservable } from 'rxjs';

type Steps = AsyncGenerator<unknown, unknown, unknown>;

/** What a method may hand out whose work goes on after the method has returned. */
export type StreamKind =
  'an Observable' | 'an async generator' | 'a StreamableFile' | 'a stream' | 'a Response';

/**
 * What kind of stream a value is; undefined for every other value. A socket is none: the work of a method that returns one
 * is to connect it.
 */
export function streamKindOf(value: unknown): StreamKind | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // Tags instead of classes, so that objects of another realm or of a polyfill are recognised, too.
  switch (Object.prototype.toString.call(value)) {
    case '[object AsyncGenerator]':
      return 'an async generator';
    case '[object ReadableStream]':
      return 'a stream';
    case '[object Response]':
      return (value as { body?: unknown }).body ? 'a Response' : undefined;
    default:
      if (isObservable(value)) return 'an Observable';
      if (value instanceof StreamableFile) return 'a StreamableFile';
      return value instanceof Readable && (value instanceof Transform || !(value instanceof Duplex))
        ? 'a stream'
        : undefined;
  }
}

/** Ends a stream that nobody will read, so that it lets go of what it reads from. */
export function discard(value: unknown): void {
  const stream = value instanceof StreamableFile ? (value.getStream() as Partial<Readable>) : value;
  if (stream instanceof Readable) stream.on('error', () => undefined).destroy();
  else {
    const web = (
      streamKindOf(stream) === 'a Response' ? (stream as Response).body : stream
    ) as ReadableStream;
    if (streamKindOf(web) === 'a stream') void web.cancel().catch(() => undefined);
    else if (streamKindOf(stream) === 'an async generator')
      void (stream as Steps).return(undefined).catch(() => undefined);
  }
}

/** An async generator whose steps run where it was made, and end when its lease does. */
export interface BoundSteps {
  readonly body: Steps;
  /** Rejects the step that is awaited, and every later one. */
  fail(error: Error): void;
}

/**
 * Makes an async generator that NestJS sends after all interceptors are done run its steps in the present async context,
 * where `current()` finds the lease.
 */
export function boundSteps(steps: Steps): BoundSteps {
  const scope = new AsyncResource('LockedBody');
  const refuse = new Set<(error: Error) => void>();
  let failure: Error | undefined;
  const step = (move: () => Promise<IteratorResult<unknown, unknown>>) =>
    new Promise<IteratorResult<unknown, unknown>>((resolve, reject) => {
      if (failure) return reject(failure);
      refuse.add(reject);
      const settled = scope.runInAsyncScope(move).finally(() => refuse.delete(reject));
      settled.then(resolve, reject);
    });
  const leave = () => scope.runInAsyncScope(() => steps.return(undefined));
  // Without properties of its own that JSON would show: NestJS 11 answers a generator as `{}`.
  const body = {
    next: (value?: unknown) => step(() => steps.next(value)),
    // After a failure it was left already, and may still be in a step for which nobody should wait.
    return: (value?: unknown) =>
      failure ? Promise.resolve({ done: true, value }) : scope.runInAsyncScope(() => steps.return(value)),
    throw: (error?: unknown) => step(() => steps.throw(error)),
    [Symbol.asyncIterator]: () => body,
    [Symbol.asyncDispose]: async () => void (await leave()),
    get [Symbol.toStringTag]() {
      return 'AsyncGenerator';
    },
  } as Steps;
  return {
    body,
    fail(error) {
      failure = error;
      for (const reject of refuse) reject(error);
      leave().catch(() => undefined); // its own cleaning up
    },
  };
}
