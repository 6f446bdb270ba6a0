import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { AppModule } from './app.module.js';
import { StockService } from './stock.service.js';

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const order = (): Promise<Response> => fetch(`http://127.0.0.1:${port}/stock/book`, { method: 'POST' });

  const stock = app.get(StockService);
  stock.left = 10;
  const bought = await Promise.all(Array.from({ length: 30 }, () => stock.buy('book')));
  assert.equal(bought.filter(Boolean).length, 10);
  assert.equal(stock.left, 0);
  assert.deepEqual(
    stock.fences,
    [...new Set(stock.fences)].sort((a, b) => a - b),
  );

  await stock.whileHeld('book', async (lease) => {
    lease.assertHeld();
    assert.equal((await order()).status, 423);
  });
  assert.equal((await order()).status, 201);
  await app.close();
}

void main();
