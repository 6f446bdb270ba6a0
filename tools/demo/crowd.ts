import { once } from 'node:events';
import { Agent, request, type ClientRequest } from 'node:http';
import type { ShopProcess } from './shop-process.js';

export interface Answer {
  readonly status: number;
  /** From the opening of the doors to the answer, in milliseconds. */
  readonly waited: number;
}

/**
 * Sends the orders of `buyers` people, spread over the processes. All have connected and been asked for their
 * order before the first one sends it, and the doors stay closed until the last order has arrived: taken in one
 * by one by busy machines, they would race less than a crowd does.
 */
export async function sendCrowd(
  processes: readonly ShopProcess[],
  sku: string,
  buyers: number,
  lock: 'on' | 'off',
  signal: AbortSignal,
  onAnswer: (status: number) => void = () => undefined,
): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: false });
  const orders = Array.from({ length: buyers }, (_, buyer) => {
    const { url } = processes[buyer % processes.length] as ShopProcess;
    const body = JSON.stringify({ buyer: `buyer ${buyer + 1}` });
    const order = request(`${url}/flash-sale/${sku}/orders?lock=${lock}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
      agent,
      signal,
    });
    order.flushHeaders();
    return { order, body, asked: once(order, 'continue'), answer: answerTo(order, onAnswer) };
  });
  const answers = Promise.all(orders.map(({ answer }) => answer));
  await Promise.race([Promise.all(orders.map(({ asked }) => asked)), answers]);
  const openDoors = processes.map((shop) => shop.closeDoors());
  let opened = performance.now();
  try {
    const arrived = orders.map(({ order, body }) => new Promise<void>((done) => order.end(body, done)));
    // An order that fails never arrives; its answer says why.
    await Promise.race([Promise.all(arrived), answers]);
    opened = performance.now();
  } finally {
    for (const open of openDoors) open();
  }
  return (await answers).map(({ status, at }) => ({ status, waited: at - opened }));
}

function answerTo(
  order: ClientRequest,
  onAnswer: (status: number) => void,
): Promise<{ status: number; at: number }> {
  return new Promise((resolve, reject) => {
    order.on('error', reject);
    order.on('response', (response) => {
      response.on('error', reject);
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        resolve({ status, at: performance.now() });
        onAnswer(status);
      });
      response.resume();
    });
  });
}
