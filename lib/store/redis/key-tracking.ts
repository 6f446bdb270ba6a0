/** Client tracking: the server says over the notice connection that somebody else has changed a key that we hold. */
import type { Redis } from 'ioredis';
import type { ScriptCall } from './script-batch.js';

/** The channel in which a server speaks of changed keys to a connection that is subscribed to something. */
export const INVALIDATIONS = '__redis__:invalidate';

/** The connection that commands go over, and the one that notices come over. */
export interface TrackedConnections {
  /** Whether commands can be sent now, and to which server process. */
  readonly commands: { readonly up: boolean; readonly runId: string };
  /** The number that the server has given the notice connection, while that is up; and its server process. */
  readonly notices: { readonly clientId: number | undefined; readonly runId: string };
  /** Sends one command; rejects when it fails or is not answered in time. */
  readonly send: (words: readonly [string, ...string[]]) => Promise<unknown>;
  /** Somebody else may have changed the key; without a key, any key that is tracked. */
  readonly changed: (key?: string) => void;
}

/**
 * Tracks the keys of held locks, from the first renewal of a hold on: a read in the mode OPTIN has the server tell the next
 * change by anybody else, once. Our own writes tell us nothing (NOLOOP), but make the server forget the key, too: so each
 * renewal and each note is followed by such a read.
 */
export class KeyTracking {
  private on = false;
  private turn = 0;

  constructor(private readonly connections: TrackedConnections) {}

  /**
   * One of the two connections is up: has the server track what is read over the one and tell it over the other, if both
   * lead to the same server process. What has changed before is not known then.
   */
  async begin(): Promise<void> {
    const { commands, notices, send, changed } = this.connections;
    this.end();
    const { turn } = this;
    const { clientId, runId } = notices;
    // The number of a connection means another one at another server. Who does not know the server, tracks nothing.
    if (clientId === undefined || !commands.up || runId === '' || runId !== commands.runId) return;
    try {
      await send(['TRACKING', 'ON', 'REDIRECT', String(clientId), 'OPTIN', 'NOLOOP']);
    } catch {
      return; // it is refused, or one of the two connections is gone again
    }
    if (turn !== this.turn) return;
    this.on = true;
    changed();
  }

  /** One of the two connections is gone. */
  end(): void {
    this.on = false;
    this.turn += 1;
  }

  /** The keys that are to be read after these calls, if any. */
  keysAfter(calls: readonly ScriptCall[]): readonly string[] | undefined {
    if (!this.on) return undefined;
    let found: string[] | undefined;
    for (const { key, tracked } of calls) if (tracked) (found ??= []).push(key);
    return found;
  }

  /** Has the server track keys; `oneByOne` where it takes no command for several, as in cluster mode. */
  read(client: Redis, keys: readonly string[], oneByOne: boolean): void {
    if (oneByOne) for (const key of keys) this.readAtOnce(client, [key]);
    else this.readAtOnce(client, keys);
  }

  /** The server says that they were changed by somebody else, all of them when it was flushed; it has forgotten them. */
  heard(keys: readonly string[] | undefined): void {
    const { changed } = this.connections;
    if (!keys) return changed();
    for (const key of keys) changed(key);
  }

  private readAtOnce(client: Redis, keys: readonly string[]): void {
    // It is for the next command only. Where it is refused, tracking was never on or is on no more.
    client.call('CLIENT', 'CACHING', 'YES').catch(nothing);
    client.exists(...keys).then((count) => {
      // One of them is gone since the write before it.
      if (count < keys.length) for (const key of keys) this.connections.changed(key);
    }, nothing);
  }
}

function nothing(): void {
  // A renewal asks for the same, and says what fails.
}
