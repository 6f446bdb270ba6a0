/** One call of a script for one key. */
export interface ScriptCall {
  readonly key: string;
  readonly args: readonly (string | number)[];
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

// One script call blocks the server for as long as it runs: some microseconds a key.
const MOST = 64;

/**
 * Gathers what is asked of the scripts in one turn of the event loop, and sends it with one call of each. The
 * server's fixed cost of a script call, and a write to the socket, are then paid once for all of them. What is
 * asked of one key keeps its order.
 */
export class ScriptBatch<Name extends string> {
  private readonly pending = new Map<Name, ScriptCall[]>();
  private readonly scriptOf = new Map<string, Name>();

  constructor(private readonly send: (script: Name, calls: readonly ScriptCall[]) => void) {}

  add(script: Name, call: ScriptCall): void {
    const before = this.scriptOf.get(call.key);
    if (before !== undefined && before !== script) this.flush(before);
    const calls = this.pending.get(script);
    if (calls) {
      calls.push(call);
      this.scriptOf.set(call.key, script);
      if (calls.length === MOST) this.flush(script);
      return;
    }
    this.pending.set(script, [call]);
    this.scriptOf.set(call.key, script);
    // nextTick from a microtask runs when all microtasks are done: no later than that, and no earlier.
    process.nextTick(() => this.flush(script));
  }

  private flush(script: Name): void {
    const calls = this.pending.get(script);
    if (!calls) return;
    this.pending.delete(script);
    for (const { key } of calls) if (this.scriptOf.get(key) === script) this.scriptOf.delete(key);
    this.send(script, calls);
  }
}
