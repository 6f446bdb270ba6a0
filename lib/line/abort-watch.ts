/**
 * Tells many callers of one signal's abort by one listener of it: a signal with more than ten makes Node warn of a
 * leak, and a hundred callers may well share the signal of one request.
 */
export class AbortWatch {
  private readonly watched = new Map<AbortSignal, Watched>();

  add(signal: AbortSignal, tell: () => void): void {
    const known = this.watched.get(signal);
    if (known) return void known.callers.add(tell);
    const callers = new Set([tell]);
    const listener = (): void => [...callers].forEach((each) => each());
    this.watched.set(signal, { callers, listener });
    signal.addEventListener('abort', listener);
  }

  delete(signal: AbortSignal, tell: () => void): void {
    const known = this.watched.get(signal);
    known?.callers.delete(tell);
    if (known?.callers.size !== 0) return;
    signal.removeEventListener('abort', known.listener);
    this.watched.delete(signal);
  }
}

interface Watched {
  readonly callers: Set<() => void>;
  readonly listener: () => void;
}
