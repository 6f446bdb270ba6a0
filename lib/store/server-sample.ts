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
export const DRIFT = 0.01;

/** What the server's clock shows at least at the local time `at`, in microseconds. */
export function serverTimeAtLeast(sample: ServerSample, at: number): number {
  return Math.floor(sample.time + (at - sample.receivedAt) * (1 - DRIFT) * 1_000);
}

/** The local time at which the server's clock shows `serverTime` at the earliest, in milliseconds. */
export function localTimeAtEarliest(sample: ServerSample, serverTime: number): number {
  return sample.sentAt + ((serverTime - sample.time) / 1_000) * (1 - DRIFT);
}
