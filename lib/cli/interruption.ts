// As shells count them.
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** How the command ends at a signal: at once, unless a live view has asked to end by itself. */
export class Interruption {
  private view: AbortController | undefined;

  constructor() {
    for (const [signal, code] of Object.entries(CODES)) process.on(signal, () => this.stop(code));
  }

  /** From now on the first signal aborts what this returns, and the next one ends the process. */
  takeOver(): AbortSignal {
    this.view = new AbortController();
    return this.view.signal;
  }

  /** From now on every signal ends the process. */
  giveBack(): void {
    this.view = undefined;
  }

  private stop(code: number): void {
    if (!this.view || this.view.signal.aborted) process.exit(code);
    this.view.abort();
  }
}
