/** A Redis that tests, the demo and the sample may use until they call `stop`. */
export interface RunningRedis {
  readonly url: string;
  /** `given`: REDIS_URL, which belongs to somebody else and is neither flushed nor stopped. */
  readonly kind: 'given' | 'server' | 'docker' | 'emulated';
  /** The process on this machine, when there is one that may be signalled. */
  readonly pid?: number;
  /** Ends what was started. Idempotent. */
  stop(): Promise<void>;
}

export interface StartRedisOptions {
  /** true: the emulation, whatever else there is. false: anything but the emulation. */
  readonly emulated?: boolean;
  /** More arguments for redis-server. Whoever passes them needs a server of its own: REDIS_URL is not used. */
  readonly args?: readonly string[];
  /** false: REDIS_URL is not used, since the caller wants to stop, freeze or flush the server. */
  readonly given?: boolean;
}
