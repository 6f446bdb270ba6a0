/**
 * What is known about the server's clock, and what follows from it: until when an answer or a pushed grant may be believed,
 * and until when a command may take effect. All of it errs on the safe side: a holder believes in its lease for less
 * time than the server keeps it.
 */
import type { Grant } from './lock-operation.js';

/**
 * What one answer says about the server's clock: it showed `time` at some moment between `sentAt` and `receivedAt`.
 *
 * @publicApi
 */
export interface ServerSample {
  /** Local milliseconds before the command entered the client. */
  readonly sentAt: number;
  /** Local milliseconds when its answer was read. */
  readonly receivedAt: number;
  /** The server's clock in microseconds. */
  readonly time: number;
}

/** The most by which the speeds of two clocks may differ: 1 %. */
export const DRIFT = 0.01;

// Local and server clocks are read in whole steps; two milliseconds cover both.
export const GRAIN = 2;

/** The least that the server's clock can show at the local time `at`, in microseconds. */
export function serverTimeAtLeast(sample: ServerSample, at: number): number {
  return Math.floor(sample.time + (at - sample.receivedAt) * (1 - DRIFT) * 1_000);
}

/** The earliest local time at which the server's clock can show `serverTime`, in milliseconds. */
export function localTimeAtEarliest(sample: ServerSample, serverTime: number): number {
  return sample.sentAt + ((serverTime - sample.time) / 1_000) * (1 - DRIFT);
}

/**
 * Until when (local milliseconds) an answered acquire or renew may be believed. It counts from `sentAt`, before the command
 * entered the client, since the server may have read the command at that moment.
 */
export function leaseDeadline(sentAt: number, ttl: number): number {
  return sentAt + ttl - (ttl * DRIFT + GRAIN);
}

/**
 * Until when a pushed grant may be believed: until the server's deadline, translated by the sample, but never for longer
 * than the granted span after it was read. Undefined without a sample.
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

/** The server time after which a command that is sent now with this timeout changes nothing. */
export function commandEnd(sample: ServerSample, now: number, timeout: number): number {
  return serverTimeAtLeast(sample, now + timeout);
}

/** How long a command may take: an answer that comes later does not count. */
export function commandTimeout(ttl: number, waitLeft = Infinity): number {
  return Math.max(1, Math.min(1_000, ttl / 3, waitLeft));
}

/** Milliseconds as the machine's microseconds; Infinity becomes ten years. */
export function micros(ms: number): number {
  return Math.round(Math.min(ms, 315_360_000_000) * 1_000);
}
