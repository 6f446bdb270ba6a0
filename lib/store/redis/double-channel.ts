import type { RedisChannel, Trial } from './redis-channel.js';

// The second copy comes within the time that a message takes to another node, unless that node was frozen.
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
  private heard = new Set<string>();
  private heardBefore = new Set<string>();

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

  get started(): boolean {
    return this.both[0].started;
  }

  start(): void {
    for (const each of this.both) each.start();
  }

  attend(): void {
    for (const each of this.both) each.attend();
  }

  tryOut(timeout: number): Trial {
    this.start();
    return this.both[0].tryOut(timeout);
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

  /**
   * The copy of a grant may come when its lease has been given back. Echoes, news of latches, and what says that a name is
   * wanted have the same text each time, and mean the same again.
   */
  private hearOnce(text: string): void {
    if (!/^[eow] /.test(text)) {
      if (this.heard.has(text) || this.heardBefore.has(text)) return;
      if (this.heard.size >= REMEMBERED) {
        this.heardBefore = this.heard;
        this.heard = new Set();
      }
      this.heard.add(text);
    }
    this.hear(text);
  }
}
