import { subscribe, unsubscribe } from 'node:diagnostics_channel';

const PREFIX = 'nestjs-distributed-lock:';
const PLAIN = [
  'granted',
  'busy',
  'released',
  'lost',
  'at-risk',
  'renewed',
  'revoked',
  'store-error',
  'lingering',
];
const TRACE = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/** A message, and the channel that it came over: `granted`, or `acquire:start`. */
export interface Heard {
  readonly on: string;
  readonly event: Record<string, unknown>;
}

/** Everything that locks of this process tell, in its order. Use with `using`. */
export class HeardEvents implements Disposable {
  readonly all: Heard[] = [];
  private readonly listeners: (readonly [string, (event: unknown) => void])[] = [];

  /** Listens to the channels `plain`, and to the trace of acquires unless that is not wanted. */
  constructor({ plain = PLAIN, traced = true } = {}) {
    for (const on of plain) this.listen(PREFIX + on, on);
    if (traced) for (const on of TRACE) this.listen(`tracing:${PREFIX}acquire:${on}`, `acquire:${on}`);
  }

  /** What was told about `name` on a channel. */
  of(on: string, name: string): Heard['event'][] {
    return this.all.flatMap((heard) =>
      heard.on === on && heard.event['name'] === name ? [heard.event] : [],
    );
  }

  /** The channels of what was told about `name`, in order. */
  orderOf(name: string): string[] {
    return this.all.flatMap(({ on, event }) => (event['name'] === name ? [on] : []));
  }

  [Symbol.dispose](): void {
    for (const [channel, listener] of this.listeners) unsubscribe(channel, listener);
  }

  private listen(channel: string, on: string): void {
    const listener = (event: unknown): void => void this.all.push({ on, event: event as Heard['event'] });
    subscribe(channel, listener);
    this.listeners.push([channel, listener]);
  }
}
