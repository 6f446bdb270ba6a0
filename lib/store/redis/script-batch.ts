import type { PendingCommand } from './pending-command.js';

/** One call of a script for one key. */
export interface ScriptCall {
  readonly key: string;
  readonly args: readonly (string | number)[];
  readonly command: PendingCommand<unknown>;
}

// One script call blocks the server for as long as it runs: some microseconds a key. And of a larger crowd the server
// serves one part while the next is made: with 64 callers, parts of 32 are a fifth faster than one of 64.
export const MOST_KEYS = 32;

/**
 * Sends the first call of a turn of the event loop at once, and gathers what else is asked in that turn into one
 * call of each script. The server's fixed cost of a script call, and a write to the socket, are then paid once for
 * all of them, and who asks alone waits for nobody. A call names each key once, and what is asked of one key keeps its
 * order.
 */
export class ScriptBatch<Name extends string> {
  private readonly pending = new Map<Name, ScriptCall[]>();
  private readonly scriptOf = new Map<string, Name>();
  private gathering = false;

  constructor(private readonly send: (script: Name, calls: readonly ScriptCall[]) => void) {}

  add(script: Name, call: ScriptCall): void {
    if (!this.gathering) {
      this.gathering = true;
      // nextTick from a microtask runs when all microtasks are done: no later than that, and no earlier.
      process.nextTick(() => this.endTurn());
      return this.send(script, [call]);
    }
    const before = this.scriptOf.get(call.key);
    if (before !== undefined) this.flush(before);
    let calls = this.pending.get(script);
    if (!calls) this.pending.set(script, (calls = []));
    calls.push(call);
    this.scriptOf.set(call.key, script);
    if (calls.length === MOST_KEYS) this.flush(script);
  }

  private endTurn(): void {
    this.gathering = false;
    for (const script of [...this.pending.keys()]) this.flush(script);
  }

  private flush(script: Name): void {
    const calls = this.pending.get(script);
    if (!calls) return;
    this.pending.delete(script);
    for (const { key } of calls) if (this.scriptOf.get(key) === script) this.scriptOf.delete(key);
    this.send(script, calls);
  }
}
