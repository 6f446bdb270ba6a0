import type { ShopProcess } from './shop-process.js';

export interface Answer {
  readonly status: number;
  /** From the click to the answer, in milliseconds. */
  readonly waited: number;
}

/** Sends `buyers` orders at the same moment, spread over the processes. */
export async function sendCrowd(
  processes: readonly ShopProcess[],
  sku: string,
  buyers: number,
  lock: 'on' | 'off',
  signal: AbortSignal,
): Promise<Answer[]> {
  const order = async (buyer: number): Promise<Answer> => {
    const shop = processes[buyer % processes.length] as ShopProcess;
    const began = performance.now();
    const response = await fetch(`${shop.url}/flash-sale/${sku}/orders?lock=${lock}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ buyer: `buyer ${buyer + 1}` }),
      signal,
    });
    await response.arrayBuffer();
    return { status: response.status, waited: performance.now() - began };
  };
  return Promise.all(Array.from({ length: buyers }, (_, buyer) => order(buyer)));
}
