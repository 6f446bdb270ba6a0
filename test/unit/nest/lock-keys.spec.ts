import {
  createLockService,
  LockDefaults,
  Locked,
  LockedStream,
  LockInterceptor,
  LockService,
} from '../../../lib/index.js';
import type { LockDefaultsOptions, LockedOptions, LockKey } from '../../../lib/index.js';
import { withLocks } from '../../../lib/testing/index.js';
import { errorOf } from '../../support/door.js';
import { lastValueFrom, of, type Observable } from 'rxjs';

const locks: LockService = createLockService({ log: { warn: () => undefined } });
afterAll(() => locks.close());

/** The names and the label of a call whose key and options are these. */
async function heldBy(key: LockKey, args: unknown[], options: LockedOptions = {}): Promise<unknown[]> {
  class Orders {
    @Locked(key, options)
    async run(..._args: unknown[]): Promise<unknown[]> {
      const { names } = locks.current()!;
      const [holder] = (await locks.inspect(names[0]!)).holders;
      return [...names, holder!.label];
    }
  }
  return withLocks(new Orders(), locks).run(...args);
}

const refused = (key: LockKey): unknown => {
  try {
    class Refused {
      @Locked(key)
      async run(): Promise<void> {}
    }
    return Refused;
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a template as key', () => {
  it.each([
    ['order:{0}', [7], ['order:7', 'order']],
    ['order:{0.id}:pay', [{ id: 'a:b' }], ['order:a%3Ab:pay', 'order:pay']],
    ['{1}:{0.customer.id}', [{ customer: { id: 'null' } }, 5n], ['5:%6Eull', undefined]],
    ['flag:{0}', [false], ['flag:false', 'flag']],
    ['text:{0.length}', ['four'], ['text:4', 'text']],
    [
      ['account:{0}', 'account:{1}'],
      ['x', 'y'],
      ['account:x', 'account:y', 'account'],
    ],
    [['account:{0}', 'audit'], ['x'], ['account:x', 'audit', 'account, audit']],
  ] as const)('%j of %j makes its names, and its fixed part is the label', async (key, args, expected) => {
    expect(await heldBy(key, [...args])).toEqual(expected);
  });

  it('makes other names of other values, whatever is in them', async () => {
    const values = ['a', 'b', 'a:b', 'a%3Ab', '%', 'null', '%6Eull', '{0}'];
    const made = new Set<unknown>();
    for (const one of values)
      for (const other of values) made.add((await heldBy('{0}:{1}', [one, other]))[0]);
    expect(made.size).toBe(values.length ** 2);
  });

  it.each([undefined, null, NaN, '', {}, [], Symbol('s'), () => 1])(
    'refuses the call, and not the process, for %p',
    async (value) => {
      for (const [key, args] of [
        ['order:{0}', [value]],
        ['order:{0.id}', [{ id: value }]],
        ['order:{0.id.x}', [{ id: undefined }]],
        ['order:{1}', [1]],
      ] as const)
        expect(await errorOf(heldBy(key, [...args]))).toMatchObject({
          code: 'LOCK_USAGE',
          message: expect.stringMatching(
            /^\{\d[.idx]*\} in the key 'order:\{.*\}' of @Locked on Orders\.run takes .*; it was /,
          ),
        });
    },
  );

  it.each([
    'order:{id}',
    'order-{0}',
    '{0}-{1}',
    '{8}',
    '{-1}',
    '{01}',
    '{0.}',
    '{}',
    '{0',
    '0}',
    '{{0}}',
    '{0}{1}',
    '{0..id}',
  ])('that cannot be read is refused when the class is defined: %s', (key) => {
    expect(refused(key)).toMatch(
      /@Locked on .*\.run has the key .* neither a text nor a placeholder.*\{0\} to \{7\}.*function/,
    );
  });

  it('is refused by a LockInterceptor, which knows no arguments', () => {
    expect(() => LockInterceptor('order:{0}')).toThrow(/'order:\{0\}', but it knows no arguments/);
    expect(() => LockInterceptor(['a', 'b:{0}'])).toThrow(/'b:\{0\}'/);
  });

  it('works on streams and generators, and a function may return a name with braces', async () => {
    class Feed {
      @LockedStream('feed:{0}')
      stream(_id: string): Observable<string> {
        return of(locks.current()!.names.join());
      }

      @Locked('rows:{0}')
      async *rows(_id: string): AsyncGenerator<string> {
        yield locks.current()!.names.join();
      }

      @Locked(() => '{tag}:x')
      async tagged(): Promise<string> {
        return locks.current()!.names.join();
      }
    }
    const feed = withLocks(new Feed(), locks);
    expect(await lastValueFrom(feed.stream('7'))).toBe('feed:7');
    for await (const row of feed.rows('8')) expect(row).toBe('rows:8');
    expect(await feed.tagged()).toBe('{tag}:x');
  });
});

describe('the label of a call', () => {
  it('is that of the options, before that of a template; a constant name or a function has none', async () => {
    expect(await heldBy('order:{0}', [7], { label: 'mine' })).toEqual(['order:7', 'mine']);
    expect(await heldBy('audit', [])).toEqual(['audit', undefined]);
    expect(await heldBy((id: number) => `order:${id}`, [7])).toEqual(['order:7', undefined]);
  });

  it('is cut between characters when the templates are too long for one', async () => {
    const keys = ['ä', '€', '😀'].map((letter) => `${letter.repeat(25)}:{0}` as const);
    const [, , , label] = (await heldBy(keys, [7])) as string[];
    expect(label).toMatch(/^ä{25}, €{24,}…$/);
    expect(Buffer.byteLength(label!)).toBeLessThanOrEqual(128);
    expect(Buffer.byteLength(label!)).toBeGreaterThan(124);
    expect((await heldBy(keys, [7], { label: 'mine' })).at(-1)).toBe('mine');
    expect((await heldBy(`${'x'.repeat(128)}:{0}`, [7])).at(-1)).toBe('x'.repeat(128));
  });

  it('is made by a function of the arguments and the instance', async () => {
    class Shop {
      readonly kind = 'shop';

      @Locked('order:{0}', {
        label(this: Shop, _id: number, how: string) {
          return `${this.kind} ${how}`;
        },
      })
      async run(id: number, _how: string): Promise<string | undefined> {
        return (await locks.inspect(`order:${id}`)).holders[0]!.label;
      }

      @Locked('wrong', { label: (() => 7) as unknown as () => string })
      async wrong(): Promise<void> {}

      @Locked('long', { label: () => 'x'.repeat(129) })
      async long(): Promise<void> {}
    }
    const shop = withLocks(new Shop(), locks);
    expect(await shop.run(7, 'pay')).toBe('shop pay');
    expect(await shop.run(8, 'close')).toBe('shop close');
    expect((await errorOf(shop.wrong())).message).toMatch(
      /option label of @Locked on Shop\.wrong must return a text of 1 to 128 bytes; it returned 7/,
    );
    expect((await errorOf(shop.long())).message).toMatch(/label takes a text of 1 to 128 bytes/);
  });
});

describe('@LockDefaults', () => {
  /** For how long a call waits in vain. */
  const waitOf = async (call: () => Promise<unknown>): Promise<number> => {
    const lease = await locks.acquire('held');
    const error = await errorOf(call());
    await lease.release();
    return (error as unknown as { waited: number }).waited;
  };

  @LockDefaults({ wait: 0, ttl: '7s' })
  class Base {
    @Locked('held')
    async plain(): Promise<number> {
      return locks.current()!.remaining;
    }

    @Locked('held', { wait: '400ms', ttl: '3s' })
    async own(): Promise<number> {
      return locks.current()!.remaining;
    }
  }

  class Derived extends Base {
    @Locked('held')
    async derived(): Promise<number> {
      return locks.current()!.remaining;
    }
  }

  @LockDefaults({ ttl: '5s', wait: '30ms' })
  class Other extends Base {
    @Locked('held')
    async other(): Promise<number> {
      return locks.current()!.remaining;
    }
  }

  it('gives the methods of a class their options, unless they have their own', async () => {
    const base = withLocks(new Base(), locks);
    expect([await base.plain(), await base.own()].map((ms) => Math.ceil(ms / 1_000))).toEqual([7, 3]);
    expect(await waitOf(() => base.plain())).toBeLessThan(300);
    expect(await waitOf(() => base.own())).toBeGreaterThanOrEqual(399);
  });

  it('holds for subclasses without defaults of their own, and stays with inherited methods', async () => {
    const derived = withLocks(new Derived(), locks);
    expect(Math.ceil((await derived.derived()) / 1_000)).toBe(7);
    const other = withLocks(new Other(), locks);
    expect([await other.plain(), await other.other()].map((ms) => Math.ceil(ms / 1_000))).toEqual([7, 5]);
    expect(await waitOf(() => other.other())).toBeGreaterThanOrEqual(29);
  });

  it('is refused with options that it does not have, out of range, and on methods', () => {
    const on = (options: object) => (): unknown =>
      LockDefaults(options as LockDefaultsOptions)(class Shop {});
    expect(on({ onBusy: 'skip' })).toThrow(
      /@LockDefaults on Shop has no option 'onBusy'; its options are profile, ttl, wait/,
    );
    expect(on({ ttl: 1 })).toThrow(/@LockDefaults on Shop: The option ttl/);
    expect(on({ profile: '' })).toThrow(/option profile takes a non-empty string/);
    expect(on(null as never)).toThrow(/takes an object/);
    expect(() => (LockDefaults({ wait: 0 }) as MethodDecorator)({}, 'run', {})).toThrow(/stands on a class/);
  });
});
