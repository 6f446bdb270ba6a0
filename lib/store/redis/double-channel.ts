import type { RedisChannel } from './redis-channel.js';

// A grant comes twice within the time that a message takes to another node, unless that node was frozen.
const REMEMBERED = 256;

/** Makes the connection that is one of the two; `hear` is told of what it hears. */
export type MakeChannel = (place: 0 | 1, hear: (text: string) => void) => RedisChannel;

/**
 * The session's channel over connections to two nodes of a cluster, each of which hears what any node publishes: when
 * one of the two does not answer, names of other nodes go from process to process as before.
 */
export class DoubleChannel {
  readonly runId = ''; // notices say who published them
  private readonly both: readonly [RedisChannel, RedisChannel];
  private grants = new Set<string>();
  private olderGrants = new Set<string>();

  constructor(
    make: MakeChannel,
    private readonly hear: (text: string) => void,
  ) {
    const once = (text: string): void => this.hearOnce(text);
    this.both = [make(0, once), make(1, once)];
  }

  get subscribed(): boolean {
    const [one, other] = this.both;
    return one.subscribed || other.subscribed;
  }

  start(): void {
    for (const each of this.both) each.start();
  }

  expectEcho(askedAt: number): void {
    for (const each of this.both) each.expectEcho(askedAt);
  }

  /** Has one of the two connections, or both, lead to another node. */
  reset(place?: 0 | 1): void {
    for (const [at, each] of this.both.entries()) if (place === undefined || at === place) each.reset();
  }

  keepAlive(on: boolean): void {
    for (const each of this.both) each.keepAlive(on);
  }

  close(): void {
    for (const each of this.both) each.close();
  }

  /** A grant that comes the second time may be one of a lease that has been given back meanwhile. */
  private hearOnce(text: string): void {
    if (text.startsWith('g ')) {
      if (this.grants.has(text) || this.olderGrants.has(text)) return;
      if (this.grants.size >= REMEMBERED) {
        this.olderGrants = this.grants;
        this.grants = new Set();
      }
      this.grants.add(text);
    }
    this.hear(text);
  }
}
