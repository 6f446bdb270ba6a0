import type { LockAnswer, LockOperation } from '../lock-operation.js';
import { dated, grantOf } from '../native-grant.js';
import { serverTimeAtLeast } from '../server-clock.js';
import { FewNames } from './few-names.js';
import type { NativeAcquire, NativeCommand, NativeReply } from './native-command.js';
import type { CommandHost } from './pending-command.js';
import { encodeDatedRecord } from './operation-codec.js';

// From so many on, those that are over are looked for.
const MANY = 1_024;

/**
 * Whether a store takes free names natively, where its servers do that. The path keeps nothing of a free name; and only
 * scripts can be followed by WAIT, or have keys tracked.
 */
export function isNative(store: {
  readonly fenceMemory: number;
  readonly durability?: object | undefined;
  readonly clientTracking?: boolean | undefined;
}): boolean {
  return store.fenceMemory === 0 && !store.durability && store.clientTracking !== true;
}

/** What a hold that was taken natively looks like in the store, for as long as nothing has been asked of it. */
interface Written {
  readonly record: string;
  /** Local time at which the store has forgotten it. */
  readonly end: number;
}

/** The commands of a session that need no script, and what is known of them; see native-grant.ts. */
export class NativeCommands {
  private written = new Map<string, Written>();
  private many = MANY;
  /**
   * What is on its way, or has no answer, by id. Of the latter nobody knows whether they hold: such an id is released, and
   * not asked for again.
   */
  private readonly open = new Map<string, NativeAcquire>();
  /** Names that others had: a native command for one of them would be in vain, and cost a round trip. */
  private readonly contended = new FewNames();

  /** The answer to an operation that is not to be sent. */
  spent(operation: LockOperation): LockAnswer | undefined {
    return operation.kind === 'acquire' && this.open.has(operation.id)
      ? { outcome: 'gone', now: 0 }
      : undefined;
  }

  /** How to ask for it without a script; undefined where the script has to decide, as for a name that is `wanted`. */
  of(
    name: string,
    operation: LockOperation,
    server: Pick<CommandHost, 'sample' | 'native'>,
    sentAt: number,
    wanted: boolean,
  ): NativeCommand | undefined {
    if (!('id' in operation)) return undefined;
    const { id } = operation;
    if (operation.kind === 'acquire') {
      if (wanted || this.contended.has(name)) return undefined;
      const hold = dated(operation, server.native?.sample(server.sample, sentAt), sentAt);
      if (!hold) return undefined;
      const record = encodeDatedRecord(operation, hold);
      const command = { kind: 'acquire', record, hold, unknown: false, givenUp: false } as const;
      this.open.set(id, command);
      return command;
    }
    const asked = this.open.get(id);
    if (asked) {
      asked.givenUp = true;
      this.open.delete(id);
    }
    const written = this.written.get(id);
    if (!written) return undefined;
    this.written.delete(id); // whatever it is, the record is another one after it
    if (wanted || operation.kind !== 'release' || operation.keep > 0 || operation.done > 0) return undefined;
    return { kind: 'release', record: written.record };
  }

  /** What such a reply means, which was heard at `receivedAt`. */
  answer(
    operation: LockOperation,
    command: NativeCommand | undefined,
    { now }: NativeReply,
    server: Pick<CommandHost, 'sample' | 'native'>,
    receivedAt: number,
  ): LockAnswer {
    const { sample } = server;
    if (operation.kind !== 'acquire')
      return { outcome: 'released', now: sample ? serverTimeAtLeast(sample, receivedAt) : 1 };
    this.open.delete(operation.id);
    if (command?.kind !== 'acquire' || now === undefined) return { outcome: 'gone', now: 0 };
    const answer = grantOf(command.hold, now, receivedAt);
    if (answer.outcome === 'granted') this.remember(operation.id, command, receivedAt);
    else server.native?.forgetSample();
    return answer;
  }

  /** Learns from an answer of a script. */
  learn(name: string, operation: LockOperation, { outcome }: LockAnswer): void {
    if (operation.kind === 'acquire') this.open.delete(operation.id);
    if (outcome === 'queued' || outcome === 'busy' || outcome === 'mismatch') this.contended.add(name);
    else if (outcome === 'released') this.contended.delete(name);
  }

  /** Learns that there is no answer. */
  failed(operation: LockOperation, command: NativeCommand | undefined): void {
    if (operation.kind === 'acquire' && command?.kind === 'acquire' && !command.unknown)
      this.open.delete(operation.id);
  }

  private remember(id: string, { record, hold }: NativeAcquire, receivedAt: number): void {
    this.written.set(id, { record, end: receivedAt + (hold.until - hold.at) / 1_000 });
    if (this.written.size < this.many) return;
    this.written = new Map([...this.written].filter(([, { end }]) => end > receivedAt));
    this.many = Math.max(MANY, 2 * this.written.size);
  }
}
