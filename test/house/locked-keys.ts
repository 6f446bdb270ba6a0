/* Compiled, never run: a key that fits compiles, and one that does not is an error where it stands. */
import { applyDecorators, type ExecutionContext, SetMetadata, UseInterceptors } from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import { LockInterceptor, Locked, lockName, type LockedOptions, type LockKey } from '../../lib/index.js';

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
