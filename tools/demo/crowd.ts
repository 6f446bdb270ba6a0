import { Agent, request, type ClientRequest } from 'node:http';
import type { ShopProcess } from './shop-process.js';

export interface Answer {
  readonly status: number;
  /** From the click to the answer, in milliseconds. */
  readonly waited: number;
}

/**
 * `buyers` people, spread over the processes, who press the button at the same moment: every order is sent up to
 * its last byte, and the last bytes follow together. Orders that trickled in one by one would race less.
 */
export async function sendCrowd(
  processes: readonly ShopProcess[],
  sku: string,
  buyers: number,
  lock: 'on' | 'off',
  signal: AbortSignal,
): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: false });
  const orders = Array.from({ length: buyers }, (_, buyer) => {
    const { url } = processes[buyer % processes.length] as ShopProcess;
    const body = JSON.stringify({ buyer: `buyer ${buyer + 1}` });
    const order = request(`${url}/flash-sale/${sku}/orders?lock=${lock}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      agent,
      signal,
    });
    return { order, answer: answerTo(order), body };
  });
  const ready = orders.map(({ order, body }) => sent(order, body.slice(0, -1)));
  // An order that fails says so by its answer, which is awaited below.
  await Promise.race([Promise.all(ready), Promise.all(orders.map(({ answer }) => answer))]);
  const clicked = performance.now();
  for (const { order, body } of orders) order.end(body.slice(-1));
  const answers = await Promise.all(orders.map(({ answer }) => answer));
  return answers.map(({ status, at }) => ({ status, waited: at - clicked }));
}

function sent(order: ClientRequest, text: string): Promise<void> {
  return new Promise((resolve) => order.write(text, () => resolve()));
}

function answerTo(order: ClientRequest): Promise<{ status: number; at: number }> {
  return new Promise((resolve, reject) => {
    order.on('error', reject);
    order.on('response', (response) => {
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, at: performance.now() }));
      response.resume();
    });
  });
}
