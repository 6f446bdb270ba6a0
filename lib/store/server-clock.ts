/**
 * What is known of the server's clock, and what follows from it: until when an answer or a pushed grant may be believed,
 * and until when a command may take effect. All of it errs on the safe side: a holder believes in its lease for less
 * time than the server keeps it.
 */
import type { Grant } from './lock-operation.js';

/** One answer's evidence of what the server's clock shows: it showed `time` between `sentAt` and `receivedAt`. */
export interface ServerSample {
  /** Local milliseconds before the command entered the client. */
  readonly sentAt: number;
  /** Local milliseconds when its answer was read. */
  readonly receivedAt: number;
  /** The server's clock in microseconds. */
  readonly time: number;
}

/** The most by which two clocks that run for a while may differ: 1 %. */
const DRIFT = 0.01;

// Local and server clocks are read in whole steps; two milliseconds cover both.
const GRAIN = 2;

/** What the server's clock shows at least at the local time `at`, in microseconds. */
export function serverTimeAtLeast(sample: ServerSample, at: number): number {
  return Math.floor(sample.time + (at - sample.receivedAt) * (1 - DRIFT) * 1_000);
}

/** The local time at which the server's clock shows `serverTime` at the earliest, in milliseconds. */
export function localTimeAtEarliest(sample: ServerSample, serverTime: number): number {
  return sample.sentAt + ((serverTime - sample.time) / 1_000) * (1 - DRIFT);
}

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
  notice: Grant,
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

/** The longest a command may take: an answer that comes later is no answer. */
export function commandTimeout(ttl: number, waitLeft = Infinity): number {
  return Math.max(1, Math.min(1_000, ttl / 3, waitLeft));
}

/** Milliseconds as the machine's microseconds; for ever becomes ten years. */
export function micros(ms: number): number {
  return Math.round(Math.min(ms, 315_360_000_000) * 1_000);
}
