import { Queue } from 'bullmq';
import type { Order } from './orders.processor.js';

const queue = new Queue<Order>('orders', {
  connection: { url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' },
});
const customers = ['ann', 'bob', 'cem'];
await queue.addBulk(
  Array.from({ length: 30 }, (_, n) => ({ name: 'ship', data: { customer: customers[n % 3] as string } })),
);
await queue.close();
