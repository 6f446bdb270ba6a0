import { StreamableFile } from '@nestjs/common';
import { Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { of, type Observable } from 'rxjs';
import { Locked, type LockedOptions, LockUsageError } from '../../../lib/index.js';
import { withLocks } from '../../../lib/testing/index.js';
import { errorOf } from '../../support/door.js';

/** Applies the decorator as a caller without types could. */
function decorate(options: {
  key?: unknown;
  on?: PropertyDescriptor;
  options?: unknown;
  target?: object;
}): PropertyDescriptor {
  const descriptor = options.on ?? { value: async () => undefined, configurable: true, writable: true };
  const locked = Locked(
    (options.key ?? 'name') as string,
    options.options as LockedOptions,
  ) as MethodDecorator;
  class Service {}
  locked(options.target ?? Service.prototype, 'work', descriptor);
  return descriptor;
}

async function refusal(options: Parameters<typeof decorate>[0]): Promise<string> {
  const error = await errorOf(() => decorate(options));
  expect(error).toBeInstanceOf(LockUsageError);
  return error.message;
}

describe('@Locked refuses', () => {
  it('a static method, with the remedy', async () => {
    expect(await refusal({ target: class Jobs {} })).toMatch(/Jobs\.work .*static.*method of a provider/);
  });

  it('a class and a parameter, with the remedy', async () => {
    class Jobs {}
    const decorator = Locked('name') as unknown as (...args: unknown[]) => void;
    const { message } = await errorOf(() => decorator(Jobs));
    expect(message).toMatch(/class Jobs.*each method.*LockInterceptor/);
    expect(message).not.toMatch(/static/);
    expect((await errorOf(() => decorator(Jobs.prototype, 'work', 0))).message).toMatch(
      /Jobs\.work.*a parameter/,
    );
  });

  it('an accessor and a property, with the remedy', async () => {
    expect(await refusal({ on: { get: () => 1 } })).toMatch(/accessor.*returns a promise/);
    expect(await refusal({ on: { value: 1 } })).toMatch(/property.*as a method/);
    const decorator = Locked('name') as unknown as (target: object, property: string) => void;
    expect((await errorOf(() => decorator({}, 'work'))).message).toMatch(/as a method/);
  });

  it('the decorators of the later standard, with the remedy', async () => {
    const decorator = Locked('name') as unknown as (method: object, context: object) => void;
    const error = await errorOf(() => decorator(async () => undefined, { kind: 'method', name: 'work' }));
    expect(error.message).toMatch(/experimentalDecorators/);
  });

  it('constant names that cannot be locked, when the class is defined', async () => {
    expect(await refusal({ key: '' })).toMatch(/1 to 512 bytes/);
    expect(await refusal({ key: 'order:undefined' })).toMatch(/'undefined'/);
    expect(await refusal({ key: ['a', 'b:NaN'] })).toMatch(/'NaN'/);
    expect(await refusal({ key: [] })).toMatch(/empty array/);
    expect(await refusal({ key: 7 })).toMatch(/was 7/);
  });

  it.each([
    [{ ttl: 99 }, /^@Locked on Service\.work: The option ttl takes 100ms to 24h.*was 99/],
    [{ wait: '10' }, /wait takes .*was '10'/],
    [{ maxHold: Infinity }, /maxHold takes .*was Infinity/],
    [{ renew: 'yes' }, /renew takes .*true or false.*'yes'/],
    [{ reentrant: 1 }, /reentrant takes .*true or false/],
    [{ label: 'é'.repeat(65) }, /label takes .*128 bytes/],
    [{ onStoreError: 'ignore' }, /onStoreError takes .*'throw' or 'run'.*'ignore'/],
    [{ onBusy: 'wait' }, /onBusy takes .*'skip'.*'wait'/],
    [{ locks: '' }, /locks takes .*non-empty string/],
    [{ signal: new AbortController().signal }, /signal takes a function of the arguments/],
    [{ profile: 3 }, /profile takes .*non-empty string/],
    [{ timeout: 5 }, /no option 'timeout'; the options are wait, ttl/],
  ])('the options %j, when the class is defined', async (options, message) => {
    expect(await refusal({ options })).toMatch(message);
  });

  it('nothing of options that are undefined', () => {
    expect(() => decorate({ options: { ttl: undefined, wait: Infinity, onBusy: undefined } })).not.toThrow();
  });
});

describe('a @Locked call rejects', () => {
  async function called(method: () => unknown): Promise<string> {
    class Service {}
    Object.defineProperty(
      Service.prototype,
      'work',
      decorate({ on: { value: method }, target: Service.prototype }),
    );
    const instance = withLocks(new Service()) as { work(): Promise<unknown> };
    const error = await errorOf(instance.work());
    expect(error).toBeInstanceOf(LockUsageError);
    return error.message;
  }

  it('a method that turns out to be synchronous, with the remedy', async () => {
    expect(await called(() => 5)).toMatch(/synchronous.*Make the method async/);
    expect(await called(() => undefined)).toMatch(/synchronous/);
  });

  it('a stream, also inside a promise, with the remedy, and does not begin it', async () => {
    let begun = 0;
    const stream = (): Observable<number> => {
      const each = of(1);
      const subscribe = each.subscribe.bind(each);
      each.subscribe = ((...args: never[]) => (begun++, subscribe(...args))) as typeof each.subscribe;
      return each;
    };
    expect(await called(stream)).toMatch(/Observable.*@LockedStream/);
    expect(await called(async () => stream())).toMatch(/Observable.*@LockedStream/);
    expect(begun).toBe(0);
  });

  it.each([
    ['a StreamableFile', () => new StreamableFile(Readable.from(['row']))],
    ['a stream', () => Readable.from(['row'])],
    ['a stream', () => ReadableStream.from(['row'])],
    ['a stream', () => Readable.from(['row']).pipe(new PassThrough())],
    ['a Response', () => new Response('text')],
  ])('%s, with the remedy, and ends it', async (kind, make) => {
    let made: unknown;
    const message = await called(async () => (made = make()));
    expect(message).toMatch(new RegExp(`hands out ${kind}, whose work would go on.*LockInterceptor`));
    if (made instanceof Readable) expect(made.destroyed).toBe(true);
  });

  it.each([
    ['a socket', () => new Socket()],
    ['a Response without a body', () => new Response(null, { status: 204 })],
    ['a buffer', () => Buffer.from('text')],
  ])('nothing of %s', async (_, make) => {
    class Service {
      @Locked('name')
      async work(): Promise<unknown> {
        return make();
      }
    }
    expect(await withLocks(new Service()).work()).toBeDefined();
  });

  it('an async generator that the method did not make itself', async () => {
    const steps = async function* () {
      yield 1;
    };
    expect(await called(() => steps())).toMatch(/async generator.*async \*name/);
    expect(await called(async () => steps())).toMatch(/async generator/);
  });
});
