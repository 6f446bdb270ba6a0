/* Compiled, never run: a key that fits compiles, and one that does not is an error where it stands. */
import {
  applyDecorators,
  type ExecutionContext,
  SetMetadata,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { Socket } from 'node:net';
import { Duplex, Readable, Transform } from 'node:stream';
import { type Observable, of, Subject } from 'rxjs';
import {
  type Lease,
  LockInterceptor,
  Locked,
  LockedLease,
  LockedStream,
  lockName,
  type LockedOptions,
  type LockKey,
  type WriteLease,
} from '../../lib/index.js';

const KEYS = ['a', 'b'] as const;

export class Accepted {
  readonly tenant = 't1';

  @Locked('audit')
  async aConstant(): Promise<void> {}

  @Locked(['from', 'to'])
  async anArray(): Promise<void> {}

  @Locked(KEYS)
  async aReadonlyArray(): Promise<void> {}

  @Locked((sku: string) => `stock:${sku}`)
  async theParameters(sku: string, _quantity: number): Promise<string> {
    return sku;
  }

  @Locked((sku: string, quantity: number) => lockName('stock', sku, quantity))
  async allParameters(sku: string, quantity: number): Promise<string> {
    return sku.repeat(quantity);
  }

  @Locked(() => 'audit')
  async aKeyWithoutParameters(_sku: string): Promise<void> {}

  @Locked((id: string | number) => `order:${id}`)
  async aWiderParameter(_id: number): Promise<void> {}

  @Locked((order: { id: string }) => order.id)
  async aNarrowerView(_order: { id: string; lines: string[] }): Promise<void> {}

  @Locked((id?: string) => `order:${id ?? 'all'}`)
  async anOptionalParameter(_id?: string): Promise<void> {}

  @Locked((from: string, to: string) => [`account:${from}`, `account:${to}`])
  async severalNames(_from: string, _to: string): Promise<void> {}

  @Locked((...ids: string[]) => ids)
  async restParameters(..._ids: string[]): Promise<void> {}

  @Locked(function (this: Accepted, id: string) {
    return lockName(this.tenant, id);
  })
  async theInstance(_id: string): Promise<void> {}

  @Locked((id: string) => id, {
    ttl: '5s',
    wait: 0,
    onBusy: 'skip',
    label: undefined,
    profile: 'slow',
    locks: 'x',
  })
  async *anAsyncGenerator(id: string): AsyncGenerator<string, number | undefined, boolean> {
    return (yield id) ? 1 : 0;
  }
}

// Composed as the documentation of NestJS teaches it; what is declared to be a MethodDecorator checks no parameters.
const Exclusive = (name: string) => applyDecorators(SetMetadata('exclusive', name), Locked(name));
const JobLock = (name: string): MethodDecorator => Locked(name, { onBusy: 'skip' });
const PerOrder = (wait: '1s' | '5s') =>
  Locked((order: { id: string }) => lockName('order', order.id), { wait });
const ANY_KEY: LockKey = (id: string) => id;
const ANY_OPTIONS: LockedOptions = { wait: 0 };

abstract class Repository<T extends { id: string }> {
  @Locked((entity: { id: string }) => lockName('entity', entity.id))
  async save(entity: T): Promise<T> {
    return entity;
  }

  @Locked((entity: { id: string }) => entity.id, { signal: (_: object, signal: AbortSignal) => signal })
  async saveUnless(entity: T, _signal: AbortSignal): Promise<T> {
    return entity;
  }

  // @ts-expect-error the key reads a version, which T need not have
  @Locked((entity: { version: number }) => `entity:${entity.version}`)
  async wrong(entity: T): Promise<T> {
    return entity;
  }
}

export class Composed extends Repository<{ id: string; lines: number }> {
  @Exclusive('orders')
  async composed(): Promise<void> {}

  @JobLock('nightly')
  async declared(): Promise<void> {}

  @PerOrder('1s')
  async typed(_order: { id: string; lines: number }): Promise<void> {}

  // @ts-expect-error a factory that declares nothing keeps the check
  @PerOrder('1s')
  async stillTyped(_order: { lines: number }): Promise<void> {}

  @Locked(ANY_KEY, ANY_OPTIONS)
  async unknownKey(_id: string): Promise<void> {}

  @Locked((id: string | undefined) => `order:${id ?? 'all'}`)
  async undefinedForAnOptionalParameter(_id?: string): Promise<void> {}

  @Locked((first: string) => first)
  async theFirstOfTheRest(..._ids: string[]): Promise<void> {}

  @Locked('thenable')
  aThenable(): PromiseLike<number> {
    return Promise.resolve(1);
  }

  @Locked('either')
  either(flag: boolean): Promise<string> | Promise<number> {
    return flag ? Promise.resolve('x') : Promise.resolve(1);
  }

  @Locked((id: string) => lockName('load', id))
  async generic<T extends object>(id: string): Promise<T> {
    return { id } as unknown as T;
  }

  async overloaded(id: string): Promise<string>;
  async overloaded(id: number): Promise<number>;
  @Locked((id: string | number) => lockName('find', id))
  async overloaded(id: string | number): Promise<string | number> {
    return id;
  }

  @Locked('job', { signal: (_job: string, signal?: AbortSignal) => signal })
  async aSignal(_job: string, _signal?: AbortSignal): Promise<void> {}

  @Locked('job', {
    signal(this: Composed) {
      return this.stopping.signal;
    },
  })
  async aSignalOfTheInstance(_job: string): Promise<void> {}
  private readonly stopping = new AbortController();

  // @ts-expect-error the method has a number where the signal function expects a signal
  @Locked('job', { signal: (signal: AbortSignal) => signal })
  async aSignalThatDoesNotFit(_job: number): Promise<void> {}

  // @ts-expect-error a controller is no signal
  @Locked('job', { signal: (controller: AbortController) => controller })
  async noSignal(_controller: AbortController): Promise<void> {}
}

export class Rejected {
  // @ts-expect-error the key reads a number, the method has a string
  @Locked((id: number) => `order:${id.toFixed()}`)
  async anotherType(_id: string): Promise<void> {}

  // @ts-expect-error the key wants a second parameter that the method does not have
  @Locked((id: string, line: string) => `order:${id}:${line}`)
  async oneParameterTooMany(_id: string): Promise<void> {}

  // @ts-expect-error the parameter may be undefined, which the key does not expect
  @Locked((id: string) => `order:${id}`)
  async anUnexpectedUndefined(_id?: string): Promise<void> {}

  // @ts-expect-error a number is no name
  @Locked((id: number) => id)
  async aKeyThatIsNoName(_id: number): Promise<void> {}

  // @ts-expect-error a synchronous method cannot wait for a lock
  @Locked('audit')
  synchronous(): number {
    return 1;
  }

  // @ts-expect-error a stream would begin its work after the release
  @Locked('audit')
  aStream(): Observable<number> {
    return of(1);
  }
}

export class Options {
  // @ts-expect-error an abort signal belongs to one call, not to a method
  @Locked('audit', { signal: new AbortController().signal })
  async signal(): Promise<void> {}

  // @ts-expect-error a duration has a unit
  @Locked('audit', { ttl: '5' })
  async duration(): Promise<void> {}

  // @ts-expect-error an option that does not exist
  @Locked('audit', { timeout: 5 })
  async unknown(): Promise<void> {}

  @UseInterceptors(LockInterceptor((context: ExecutionContext) => lockName('class', context.getClass().name)))
  interceptors(): Observable<number> {
    return of(1);
  }

  // @ts-expect-error an interceptor's key is given the context
  @UseInterceptors(LockInterceptor((id: string) => id))
  interceptorKey(): Observable<number> {
    return of(1);
  }
}

interface Order {
  readonly id: string;
}
const ORDER: Order = { id: '7' };
const WORD: 'skip' | 'throw' = Math.random() > 2 ? 'skip' : 'throw';

export class BusyAccepted {
  @Locked('order', { onBusy: 'skip' })
  async skipsNothing(): Promise<void> {}

  @Locked('order', { onBusy: 'skip' })
  async skipsAnOrder(): Promise<Order | undefined> {
    return ORDER;
  }

  @Locked('order', { onBusy: 'throw' })
  async throws(): Promise<Order> {
    return ORDER;
  }

  @Locked('order', { onBusy: (error) => ({ id: error.reason }) })
  async answers(): Promise<Order> {
    return ORDER;
  }

  @Locked('order', { onBusy: async ({ waited }) => (waited > 1 ? ORDER : undefined) })
  async answersLater(): Promise<Order | undefined> {
    return ORDER;
  }

  @Locked('order', {
    onBusy: () => {
      throw new Error('try again');
    },
  })
  async translates(): Promise<Order> {
    return ORDER;
  }

  @Locked((order: Order) => order.id, { onBusy: () => [] as string[], wait: 0 })
  async aKeyAndAnAnswer(_order: Order): Promise<readonly string[]> {
    return [];
  }

  @Locked('order', { onBusy: 'skip' })
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- users have it
  async anything(): Promise<any> {
    return ORDER;
  }

  @Locked('order', { onBusy: 'skip' })
  async nothingKnown(): Promise<unknown> {
    return ORDER;
  }

  @Locked('order', { onBusy: () => 'busy' })
  async *aGenerator(): AsyncGenerator<Order, string> {
    yield ORDER;
    return 'done';
  }

  @Locked('order')
  async aGenericMethod<T>(value: T): Promise<T> {
    return value;
  }

  @Locked('socket')
  async aSocket(): Promise<Socket> {
    return new Socket();
  }

  @Locked('tunnel')
  async aDuplex(): Promise<Duplex> {
    return new Duplex();
  }

  @Locked('order')
  async aStreamOrNone(): Promise<Readable | undefined> {
    return undefined;
  }

  @Locked('order')
  async aGenericMethodOfObjects<T extends object>(value: T): Promise<T> {
    return value;
  }

  @LockedStream('feed', { onBusy: 'skip' })
  aStream(): Observable<Order> {
    return of(ORDER);
  }

  @LockedStream((id: string) => id, { onBusy: () => ORDER })
  aStreamWithAnAnswer(_id: string): Observable<Order> {
    return of(ORDER);
  }

  @LockedStream('feed')
  aGenericStream<T>(value: T): Observable<T> {
    return of(value);
  }
}

/** What packages declare that leave much open. */
interface LooseStream {
  /* eslint-disable @typescript-eslint/no-explicit-any -- packages have it */
  readable: any;
  readableFlowing: any;
  read(): any;
  pipe: any;
  /* eslint-enable @typescript-eslint/no-explicit-any */
}

export class BusyRejected {
  // @ts-expect-error a skipped call returns undefined, which is no order
  @Locked('order', { onBusy: 'skip' })
  async skipsAnOrder(): Promise<Order> {
    return ORDER;
  }

  // @ts-expect-error it may be skipped
  @Locked('order', { onBusy: WORD })
  async mayBeSkipped(): Promise<Order> {
    return ORDER;
  }

  // @ts-expect-error a reason is no order
  @Locked('order', { onBusy: ({ reason }) => reason })
  async answersSomethingElse(): Promise<Order> {
    return ORDER;
  }

  // @ts-expect-error nor is one that is promised
  @Locked('order', { onBusy: async () => 7 })
  async answersSomethingElseLater(): Promise<Order> {
    return ORDER;
  }

  // @ts-expect-error a generator that is skipped returns undefined
  @Locked('order', { onBusy: 'skip' })
  async *aGenerator(): AsyncGenerator<Order, string> {
    yield ORDER;
    return 'done';
  }

  // @ts-expect-error T need not allow undefined
  @Locked('order', { onBusy: 'skip' })
  async generic<T extends object>(value: T): Promise<T> {
    return value;
  }

  // @ts-expect-error a word that does not exist
  @Locked('order', { onBusy: 'ignore' })
  async unknownWord(): Promise<void> {}

  // @ts-expect-error the file is sent after the method has returned
  @Locked('order')
  async aFile(): Promise<StreamableFile> {
    return new StreamableFile(Buffer.from(''));
  }

  // @ts-expect-error a body is read after the method has returned
  @Locked('order')
  async aResponse(): Promise<Response> {
    return fetch('https://example.test');
  }

  // @ts-expect-error a stream goes on after the method has returned
  @Locked('order')
  async aNodeStream(): Promise<Readable> {
    return Readable.from([]);
  }

  // @ts-expect-error a stream goes on after the method has returned
  @Locked('order')
  async aWebStream(): Promise<ReadableStream> {
    return new ReadableStream();
  }

  // @ts-expect-error a transformation goes on after the method has returned
  @Locked('order')
  async aTransform(): Promise<Transform> {
    return new Transform();
  }

  // @ts-expect-error a stream goes on, whatever the types say of it
  @Locked('order')
  async aLooseStream(): Promise<LooseStream> {
    return Readable.from([]);
  }

  // @ts-expect-error a stream goes on, whatever promises it
  @Locked('order')
  aThenableStream(): PromiseLike<Readable> {
    return Promise.resolve(Readable.from([]));
  }

  // @ts-expect-error the chunks go on after the method has returned
  @Locked('order')
  async aGenericStream<T>(chunk: T): Promise<ReadableStream<T>> {
    return new ReadableStream({ start: (controller) => controller.enqueue(chunk) });
  }

  // @ts-expect-error its work begins after the method has returned
  @Locked('order')
  async aPromisedObservable(): Promise<Observable<number>> {
    return of(1);
  }

  // @ts-expect-error a promise is no stream
  @LockedStream('feed')
  async aPromise(): Promise<number> {
    return 1;
  }

  // @ts-expect-error the caller gets an Observable, which is no Subject
  @LockedStream('feed')
  aSubject(): Subject<number> {
    return new Subject();
  }

  // @ts-expect-error the key reads a number, the method has a string
  @LockedStream((id: number) => `feed:${id}`)
  anotherKey(_id: string): Observable<number> {
    return of(1);
  }

  // @ts-expect-error a text is no order
  @LockedStream('feed', { onBusy: () => 'busy' })
  emitsSomethingElse(): Observable<Order> {
    return of(ORDER);
  }
}

export class Leases {
  @Locked('order')
  async given(@LockedLease() _lease: Lease): Promise<void> {}

  @Locked((id: string) => id)
  async optional(_id: string, @LockedLease() _lease?: Lease): Promise<void> {}

  @Locked('order')
  async aView(@LockedLease() _lease: { readonly fence: number } | undefined): Promise<void> {}

  @Locked('order')
  private async hidden(@LockedLease() _lease?: Lease): Promise<void> {}

  run(): Promise<void> {
    return this.hidden();
  }

  @Locked('order')
  // @ts-expect-error a lease is no text
  async aText(@LockedLease() _lease: string): Promise<void> {}

  @Locked('order')
  // @ts-expect-error not every lease is a writer's
  async aWriter(@LockedLease() _lease: WriteLease): Promise<void> {}

  @Locked((id: string) => id)
  // @ts-expect-error the lease stands where the id is
  async anotherParameter(@LockedLease() _id: string, _lease?: Lease): Promise<void> {}
}

export class NoMethod {
  // @ts-expect-error a constructor is not locked
  constructor(@LockedLease() _lease: Lease) {}
}

interface Cart {
  readonly id: number;
  readonly owner: { readonly name: string };
  readonly note?: string;
}

export class TemplatesAccepted {
  @Locked('cart:{0}')
  async aPosition(_id: string): Promise<void> {}

  @Locked('cart:{0.id}:{0.owner.name}:{1}')
  async properties(_cart: Cart, _flag: boolean): Promise<void> {}

  @Locked(['account:{0}', 'account:{1}'], { label: (from: string) => from.slice(0, 1) })
  async several(_from: string, _to: bigint): Promise<void> {}

  @Locked('cart:{1}', { onBusy: 'skip' })
  async anotherPosition(_first: unknown, _id: 'a' | 'b'): Promise<void> {}

  @LockedStream('feed:{0}')
  aStream(_id: string): Observable<Order> {
    return of(ORDER);
  }
}

export abstract class TemplateOfAGenericClass<T extends { id: string }> {
  @Locked('entity:{0.id}')
  async save(entity: T): Promise<T> {
    return entity;
  }

  // @ts-expect-error T need not have a version
  @Locked('entity:{0.version}')
  async wrong(entity: T): Promise<T> {
    return entity;
  }
}

export class TemplatesRejected {
  // @ts-expect-error a parameter's name is unknown at run time
  @Locked('cart:{id}')
  async aName(_id: string): Promise<void> {}

  // @ts-expect-error a placeholder is a whole segment
  @Locked('cart-{0}')
  async aPartOfASegment(_id: string): Promise<void> {}

  // @ts-expect-error there is no second parameter
  @Locked('cart:{1}')
  async noSuchPosition(_id: string): Promise<void> {}

  // @ts-expect-error there is no parameter at all
  @Locked('cart:{0}')
  async noParameter(): Promise<void> {}

  // @ts-expect-error an object is no part of a name
  @Locked('cart:{0}')
  async anObject(_cart: Cart): Promise<void> {}

  // @ts-expect-error the property may be missing
  @Locked('cart:{0.note}')
  async anOptionalProperty(_cart: Cart): Promise<void> {}

  // @ts-expect-error the parameter may be missing
  @Locked('cart:{0}')
  async anOptionalParameter(_id?: string): Promise<void> {}

  // @ts-expect-error nobody knows what it is
  @Locked('cart:{0}')
  async unknownValue(_id: unknown): Promise<void> {}

  // @ts-expect-error one of several does not fit
  @Locked(['account:{0}', 'account:{1}'])
  async oneOfSeveral(_from: string, _to: Date): Promise<void> {}

  // @ts-expect-error the key reads a text, the method takes anything
  @Locked((id: string) => id)
  async aWiderMethod(_id: unknown): Promise<void> {}

  // @ts-expect-error nor is anything a list of texts
  @Locked((...ids: string[]) => ids)
  async aWiderMethodOfARest(_id: unknown): Promise<void> {}

  // @ts-expect-error nor is it in a call that may be skipped
  @Locked((id: string) => id, { onBusy: 'skip' })
  async aWiderSkippedMethod(_id: unknown): Promise<void> {}

  // @ts-expect-error nor in a generator
  @Locked((id: string) => id)
  async *aWiderGenerator(id: unknown): AsyncGenerator<unknown> {
    yield id;
  }

  // @ts-expect-error the key wants a parameter that the method does not have
  @Locked((id: string) => id)
  async aMethodWithoutParameters(): Promise<void> {}

  // @ts-expect-error the label reads a number, the method has a string
  @Locked('cart:{0}', { label: (id: number) => id.toFixed() })
  async anotherLabel(_id: string): Promise<void> {}

  // @ts-expect-error of a stream as well
  @LockedStream('feed:{1}')
  aStream(_id: string): Observable<Order> {
    return of(ORDER);
  }
}
