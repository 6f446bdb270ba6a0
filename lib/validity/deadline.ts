import type { LockNotice } from '../store/lock-operation.js';
import { DRIFT, localTimeAtEarliest, serverTimeAtLeast, type ServerSample } from '../store/server-sample.js';

// Local and server clocks are read in whole steps; two milliseconds cover both.
const GRAIN = 2;

/**
 * Until when (local milliseconds) an answered acquire or renew may be believed: it counts from `sentAt`, the
 * time before the command entered the client, since the server may have read it right then.
 */
export function leaseDeadline(sentAt: number, ttl: number): number {
  return sentAt + ttl - (ttl * DRIFT + GRAIN);
}

/**
 * Until when a pushed grant may be believed: by the server's deadline as the sample translates it, and never
 * longer than the granted span after it was read. Undefined without a sample.
 */
export function claimDeadline(
  sample: ServerSample | undefined,
  notice: LockNotice & { kind: 'granted' },
  receivedAt: number,
): number | undefined {
  if (!sample) return undefined;
  const span = notice.span / 1_000;
  return Math.min(localTimeAtEarliest(sample, notice.until), leaseDeadline(receivedAt, span));
}

/** The server time after which a command sent now with `timeout` ms to live changes nothing any more. */
export function commandEnd(sample: ServerSample, now: number, timeout: number): number {
  return serverTimeAtLeast(sample, now + timeout);
}
