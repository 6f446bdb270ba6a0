import { MOST_KEYS } from './script-batch.js';

// A turn with so many calls is likely to be followed by another one.
const CROWD = 4;

/** The socket of a connection: it keeps what is written between the two calls, and sends it in one write then. */
interface Corked {
  cork(): void;
  uncork(): void;
}

/** All that `send` asks the client for leaves in one write, whatever it throws: else nothing that is sent later would leave. */
export function inOneWrite({ stream }: { readonly stream: Corked }, send: () => void): void {
  stream.cork();
  try {
    send();
  } finally {
    stream.uncork();
  }
}

/**
 * Has the calls of a turn of the event loop leave in one write, where each call is for one name: a node of a cluster takes
 * no other. A write costs as much as several calls, on both sides, and all its answers come together, so that the next
 * turn is as full.
 *
 * A caller who asks alone waits for nobody: the first call leaves at once, unless many were asked for in the turn before.
 * Releases wait for the other microtasks that are due, and take along what was asked before them; see ScriptBatch.
 */
export class TurnWrite {
  private begun = false;
  private calls = 0;
  private crowded = false;
  private held: Corked | undefined;
  private heldCalls = 0;
  private releasing = false;

  constructor(
    /** The socket of now: a lost connection has another one later. */
    private readonly socket: () => Corked,
  ) {}

  /** Is told of each call before it is sent. */
  add(urgent: boolean): void {
    this.calls += 1;
    if (!this.begun) {
      this.begun = true;
      process.nextTick(this.endTurn);
      if (!this.crowded) return;
    }
    // Of a large crowd the node serves one part while the next is made.
    if (this.heldCalls === MOST_KEYS) this.send();
    if (!this.held) {
      this.held = this.socket();
      this.held.cork();
    }
    this.heldCalls += 1;
    if (!urgent || this.releasing) return;
    this.releasing = true;
    queueMicrotask(this.sendUrgent);
  }

  private readonly sendUrgent = (): void => {
    this.releasing = false;
    this.send();
  };

  private readonly endTurn = (): void => {
    this.crowded = this.calls >= CROWD;
    this.begun = false;
    this.calls = 0;
    this.send();
  };

  private send(): void {
    this.held?.uncork();
    this.held = undefined;
    this.heldCalls = 0;
  }
}
