import { until as waitUntil } from '../../tools/patience.js';

const PATIENCE = 10_000;

/** Resolves when `met` is true, looking every other millisecond; rejects with `what` after ten seconds. */
export function until(
  what: string,
  met: () => boolean | Promise<boolean>,
  patience = PATIENCE,
  every = 2,
): Promise<void> {
  return waitUntil(what, met, patience, every);
}

/** The reason with which `promise` rejects. */
export async function failureOf<E = unknown>(promise: PromiseLike<unknown>): Promise<E> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as E;
  }
  throw new Error(`Expected a rejection; it resolved with ${String(value)}`);
}

/** The reason with which `signal` is aborted, now or later. */
export function abortOf<E = unknown>(signal: AbortSignal): Promise<E> {
  if (signal.aborted) return Promise.resolve(signal.reason as E);
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(signal.reason as E), { once: true }),
  );
}

/** Lets `ms` milliseconds pass, for tests about the passing of time. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
