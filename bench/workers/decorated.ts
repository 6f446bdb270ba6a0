import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Mutex } from 'async-mutex';
import type * as Library from '../../lib/index.js';
import { DistributedLockModule, Locked } from '../../lib/index.js';
import { libraryBefore } from '../contenders/before.js';
import { cpuRate, times } from '../measure/loops.js';
import { median } from '../measure/numbers.js';

/** Whose calls are counted. */
export type Callee = 'own' | 'before' | 'async-mutex';

/** One call of what is measured, and how it ends. */
interface Called {
  readonly call: () => Promise<unknown>;
  close(): Promise<void>;
}

const WARM_UP = 30_000;
/** Of each process: its first ones pay for what V8 compiles meanwhile. */
const SAMPLES = 5;
let called: Promise<Called> | undefined;

/** Calls a second of processor time, one at a time and by a hundred callers. One process measures one callee. */
export async function calls(callee: Callee, count: number): Promise<{ one: number; hundred: number }> {
  const { call } = await (called ??= opened(callee));
  const samples: { one: number; hundred: number }[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1)
    samples.push({ one: await cpuRate(count, 1, call), hundred: await cpuRate(count, 100, call) });
  return {
    one: median(samples.map(({ one }) => one)),
    hundred: median(samples.map(({ hundred }) => hundred)),
  };
}

/** Ends the application, if there is one. */
export async function closeCallee(): Promise<void> {
  await (await called)?.close();
  called = undefined;
}

async function opened(callee: Callee): Promise<Called> {
  const one = await (callee === 'own'
    ? openShop({ DistributedLockModule, Locked })
    : callee === 'before'
      ? openShop(await libraryBefore())
      : mutexAlone());
  await times(WARM_UP, 1, one.call);
  await times(WARM_UP, 100, one.call);
  return one;
}

/** A shop over the memory store of one build of the library. */
async function openShop({
  DistributedLockModule,
  Locked,
}: Pick<typeof Library, 'DistributedLockModule' | 'Locked'>): Promise<Called> {
  @Injectable()
  class Shop {
    @Locked((sku: string) => `stock:${sku}`)
    async reserve(_sku: string): Promise<void> {}
  }
  const module = { module: Shop, imports: [DistributedLockModule.forRoot()], providers: [Shop] };
  const app = await NestFactory.createApplicationContext(module, { logger: false });
  const shop = app.get(Shop);
  return { call: () => shop.reserve('1'), close: () => app.close() };
}

/** In a process that uses an AsyncLocalStorage, which makes each promise dearer: most applications do, by their tracing. */
async function mutexAlone(): Promise<Called> {
  new AsyncLocalStorage<true>().run(true, () => undefined);
  const mutex = new Mutex();
  const nothing = async (): Promise<void> => undefined;
  return { call: () => mutex.runExclusive(nothing), close: async () => undefined };
}
