import type { NativeCommand } from './native-command.js';
import type { PendingCommand } from './pending-command.js';

/** One call of a script for one key. */
export interface ScriptCall {
  readonly key: string;
  readonly args: readonly (string | number)[];
  readonly command: PendingCommand<unknown>;
  /** Whoever the server tells of it is to be told before we are. */
  readonly tellsFirst: boolean;
  /** The script serves one key only, and what it replies is all for that key. */
  readonly alone?: boolean;
  /** The server shall say when somebody else changes the key, if it was asked to track keys. */
  readonly tracked?: boolean;
  /** It was sent before, over a connection that is gone. */
  again?: boolean;
  /** The key is on its way to this server from another one, which sent us here. */
  asking?: boolean;
  /** How often it was sent from one server of a cluster to another. */
  redirections?: number;
  /** The same without a script, as long as that is worth trying. */
  native?: NativeCommand | undefined;
}

// One script call blocks the server for as long as it runs: some microseconds a key. And of a larger crowd the server
// serves one part while the next is made: with 64 callers, parts of 32 are a fifth faster than one of 64.
export const MOST_KEYS = 32;

/**
 * Sends the first call of a turn of the event loop at once, and gathers what else is asked in that turn into one
 * call of each script. The server's fixed cost of a script call, and a write to the socket, are then paid once for
 * all of them, and who asks alone waits for nobody. A call names each key once, and what is asked of one key keeps its
 * order.
 *
 * Releases wait for the other microtasks that are due, but not for the end of the turn: whoever awaits `using` may end
 * the process in the next microtask, and the release has to be on its way by then.
 */
export class ScriptBatch<Name extends string> {
  private pending: { script: Name; calls: ScriptCall[] }[] = [];
  private scriptOf = new Map<string, Name>();
  private gathering = false;
  private releasing = false;

  constructor(
    private readonly send: (script: Name, calls: readonly ScriptCall[]) => void,
    /** The script whose calls leave before whoever asked for them goes on. */
    private readonly urgent?: Name,
    /** Has what is sent meanwhile leave in one write. */
    private readonly inOneWrite: (send: () => void) => void = (send) => send(),
  ) {}

  add(script: Name, call: ScriptCall): void {
    if (!this.gathering) {
      this.gathering = true;
      this.send(script, [call]);
      // nextTick from a microtask runs when all microtasks are done: no later than that, and no earlier.
      return process.nextTick(() => this.endTurn());
    }
    const before = this.scriptOf.get(call.key);
    if (before !== undefined) this.flush(before);
    this.scriptOf.set(call.key, script);
    if (script === this.urgent && !this.releasing) {
      this.releasing = true;
      queueMicrotask(this.sendUrgent);
    }
    const group = this.pending.find((each) => each.script === script);
    if (!group) this.pending.push({ script, calls: [call] });
    else if (group.calls.push(call) === MOST_KEYS) this.flush(script);
  }

  private readonly sendUrgent = (): void => {
    this.releasing = false;
    if (this.urgent !== undefined && this.pending.some(({ script }) => script === this.urgent))
      this.flush(this.urgent);
  };

  private endTurn(): void {
    this.gathering = false;
    if (this.pending.length === 0) return;
    const groups = this.pending;
    // New ones, not cleared ones: see Chain for what a Map in use for long costs.
    this.pending = [];
    this.scriptOf = new Map();
    const [first] = groups;
    if (first && groups.length === 1) return this.send(first.script, first.calls);
    this.inOneWrite(() => groups.forEach(({ script, calls }) => this.send(script, calls)));
  }

  private flush(script: Name): void {
    const place = this.pending.findIndex((each) => each.script === script);
    const [group] = this.pending.splice(place, 1);
    for (const { key } of group?.calls ?? []) this.scriptOf.delete(key);
    this.send(script, group?.calls ?? []);
  }
}
