import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Mutex } from 'async-mutex';
import type * as Library from '../../lib/index.js';
import { DistributedLockModule, Locked } from '../../lib/index.js';
import { comparesWithBefore, libraryBefore } from '../contenders/before.js';
import { cpuRate } from '../measure/loops.js';
import { interleaved } from '../measure/rounds.js';
import { type Scenario, terms } from './scenario.js';

/** A shop over the memory store of one build of the library. */
async function openShop({
  DistributedLockModule,
  Locked,
}: Pick<typeof Library, 'DistributedLockModule' | 'Locked'>) {
  @Injectable()
  class Shop {
    @Locked((sku: string) => `stock:${sku}`)
    async reserve(_sku: string): Promise<void> {}
  }
  const module = { module: Shop, imports: [DistributedLockModule.forRoot()], providers: [Shop] };
  const app = await NestFactory.createApplicationContext(module, { logger: false });
  const shop = app.get(Shop);
  for (let warm = 0; warm < 30_000; warm += 1) await shop.reserve('1');
  return { shop, close: () => app.close() };
}

/** A decorated method, without any server. */
export const decorator: Scenario = {
  id: 'decorator',
  async run(fixture) {
    const calls = fixture.quick ? 5_000 : 20_000;
    const ours = await openShop({ DistributedLockModule, Locked });
    const before = comparesWithBefore() ? await openShop(await libraryBefore()) : undefined;
    const mutex = new Mutex();
    const nothing = async () => undefined;
    const measured = (step: () => Promise<unknown>) => async () => {
      return { one: await cpuRate(calls, 1, step), hundred: await cpuRate(calls, 100, step) };
    };
    const rows = await interleaved(
      [
        {
          id: 'own',
          label: '@Locked, memory store',
          role: 'ours' as const,
          sample: measured(() => ours.shop.reserve('1')),
        },
        before && {
          id: 'before',
          label: 'the build of before',
          role: 'ours' as const,
          sample: measured(() => before.shop.reserve('1')),
        },
        {
          id: 'async-mutex',
          label: 'async-mutex runExclusive',
          role: 'limit' as const,
          sample: measured(() => mutex.runExclusive(nothing)),
        },
      ].filter((runner) => runner !== undefined),
      terms(fixture),
    );
    await Promise.all([ours.close(), before?.close()]);
    const columns = [
      { id: 'one', title: 'one at a time: calls/s of CPU time', better: 'more' },
      { id: 'hundred', title: '100 callers: calls/s of CPU time', better: 'more' },
    ] as const;
    return [
      { id: 'decorator', title: 'A decorated method over the memory store', section: 'empty', columns, rows },
    ];
  },
};
