import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Mutex } from 'async-mutex';
import { DistributedLockModule, Locked } from '../../lib/index.js';
import { cpuRate } from '../measure/loops.js';
import { interleaved } from '../measure/rounds.js';
import { type Scenario, terms } from './scenario.js';

@Injectable()
class Shop {
  @Locked((sku: string) => `stock:${sku}`)
  async reserve(_sku: string): Promise<void> {}
}

/** A decorated method, without any server. */
export const decorator: Scenario = {
  id: 'decorator',
  async run(stage) {
    const calls = stage.quick ? 5_000 : 20_000;
    const module = {
      module: DistributedLockModule,
      imports: [DistributedLockModule.forRoot()],
      providers: [Shop],
    };
    const app = await NestFactory.createApplicationContext(module, { logger: false });
    const shop = app.get(Shop);
    const mutex = new Mutex();
    const nothing = async () => undefined;
    const measured = (step: () => Promise<unknown>) => async () => {
      return { one: await cpuRate(calls, 1, step), hundred: await cpuRate(calls, 100, step) };
    };
    for (let warm = 0; warm < 30_000; warm += 1) await shop.reserve('1');
    const rows = await interleaved(
      [
        {
          id: 'own',
          label: '@Locked, memory store',
          role: 'ours',
          sample: measured(() => shop.reserve('1')),
        },
        {
          id: 'async-mutex',
          label: 'async-mutex runExclusive',
          role: 'limit',
          sample: measured(() => mutex.runExclusive(nothing)),
        },
      ],
      terms(stage),
    );
    await app.close();
    const columns = [
      { id: 'one', title: 'one at a time: calls/s of CPU time', better: 'more' },
      { id: 'hundred', title: '100 callers: calls/s of CPU time', better: 'more' },
    ] as const;
    return [
      { id: 'decorator', title: 'A decorated method over the memory store', section: 'empty', columns, rows },
    ];
  },
};
