import { Agent, request } from 'node:http';

/** How many buyers of one crowd are in the shop at once; the others stand before its doors. */
const IN_SHOP = 600;

export interface Desk {
  readonly name: string;
  readonly url: string;
  /** Buyers whose order is there and not answered. */
  buyers: number;
  /** False while it takes no new buyers. */
  open: boolean;
}

/** The status of the answer, `broken` for a connection that broke before it, `nobody` when no process is there. */
export type BuyerOutcome = number | 'broken' | 'nobody';

/**
 * Sends `buyers` people into the shop, all of whom have come when the doors open. Like a load balancer it sends each of
 * them once, to the process that has the fewest, and does not send anybody again whose connection breaks.
 */
export async function sendLiveCrowd(
  buyers: number,
  sku: string,
  lock: 'on' | 'off',
  desks: () => readonly Desk[],
  signal: AbortSignal,
  onAnswer: (outcome: BuyerOutcome, waited: number) => void,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const opened = performance.now();
  let next = 0;
  const serve = async (): Promise<void> => {
    while (next < buyers && !signal.aborted) {
      next += 1;
      const desk = desks()
        .filter(({ open }) => open)
        .reduce<Desk | undefined>((best, one) => (best && best.buyers <= one.buyers ? best : one), undefined);
      const outcome = desk ? await order(agent, desk, sku, lock, `buyer ${next}`, signal) : 'nobody';
      onAnswer(outcome, performance.now() - opened);
      // Without a process everybody is sent away; not all in one turn of the event loop.
      if (!desk) await new Promise(setImmediate);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(buyers, IN_SHOP) }, serve));
  } finally {
    agent.destroy();
  }
}

function order(
  agent: Agent,
  desk: Desk,
  sku: string,
  lock: 'on' | 'off',
  buyer: string,
  signal: AbortSignal,
): Promise<BuyerOutcome> {
  desk.buyers += 1;
  return new Promise<BuyerOutcome>((resolve) => {
    const body = JSON.stringify({ buyer });
    const sent = request(`${desk.url}/flash-sale/${sku}/orders?lock=${lock}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': body.length },
      agent,
      signal,
    });
    sent.on('error', () => resolve('broken'));
    sent.on('response', (response) => {
      response.on('error', () => resolve('broken'));
      response.on('end', () => resolve(response.statusCode ?? 'broken'));
      response.resume();
    });
    sent.end(body);
  }).finally(() => (desk.buyers -= 1));
}
