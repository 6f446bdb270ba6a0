/* Compiled, never run: a key that fits compiles, and one that does not is an error where it stands. */
import { type ExecutionContext, UseInterceptors } from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import { LockInterceptor, Locked, lockName } from '../../lib/index.js';

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
  async *anAsyncGenerator(id: string): AsyncGenerator<string, number, boolean> {
    return (yield id) ? 1 : 0;
  }
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
