import {
  applyOperation,
  CLAIM_WINDOW,
  emptyState,
  expiryOf,
  sessionOf,
  type Holder,
  type LockState,
} from '../../../lib/store/lock-machine.js';
import type { AcquireOperation, LockNotice, LockOperation } from '../../../lib/store/lock-operation.js';
import { takenState, type DatedHold } from '../../../lib/store/native-grant.js';
import type { Timeline } from './timeline.js';

const BOOT = 1_700_000_000_000;

/** Takes a published notice on its way to one connection. */
type Deliver = (name: string, notice: LockNotice) => void;

export interface ServerSettings {
  readonly fenceMemory: number;
  /** Whether a PUBLISH tells how many listen, as a server that stands alone does. */
  readonly counted: boolean;
}

/** A Redis server: records by name, a wall clock, channels. It may freeze, lose its records, or refuse. */
export class SimulatedServer {
  runId = 1;
  /** Grows whenever the records are lost. */
  epoch = 1;
  /** While set, commands are answered with an error and change nothing. */
  refuses = false;
  /** While set, PUBLISH fails. */
  mute = false;
  /** Sees every operation that was carried out. */
  onApply: (queueBefore: readonly string[], state: LockState) => void = () => undefined;
  /** Sees every grant that its holder did not ask for right then, and how long it may last unconfirmed. */
  onGrant: (holder: Holder, span: number) => void = () => undefined;
  private readonly records = new Map<string, { state: LockState; expiry: number }>();
  private readonly channels = new Map<string, Map<object, Deliver>>();
  private readonly grantedIn = new Map<string, number>();
  private readonly forced = new Set<string>();
  /** Which id each of those had before that has taken a hold over. */
  private readonly before = new Map<string, string>();
  private readonly inbox: (() => void)[] = [];
  private frozen = false;
  private stepped = 0;

  constructor(
    private readonly timeline: Timeline,
    private readonly settings: ServerSettings,
  ) {}

  /** The wall clock in whole microseconds. */
  time(): number {
    return Math.floor((BOOT + this.timeline.now + this.stepped) * 1_000);
  }

  /** Reads a command: now, or when it thaws. Whoever sent it may be gone by then. */
  read(command: () => void): void {
    if (this.frozen) this.inbox.push(command);
    else command();
  }

  apply<O extends LockOperation>(name: string, operation: O) {
    const now = this.time();
    const state = this.recall(name, now) ?? emptyState();
    const before = state.queue.map(({ id }) => id);
    const held = new Set(state.holders.map(({ id }) => id));
    const guards = new Map(state.queue.map(({ id, guard }) => [id, guard]));
    if (operation.kind === 'revoke' && operation.force)
      for (const { id } of state.holders) this.forced.add(id).add(this.before.get(id) ?? id);
    const answer = applyOperation(state, operation, now, (notice) => this.publish(name, notice));
    if (answer.outcome === 'late') return answer;
    if (operation.kind === 'takeOver' && answer.outcome === 'granted')
      this.before.set(operation.id, operation.from);
    const expiry = expiryOf(state, now, this.settings.fenceMemory * 1_000);
    if (state.fence === 0 || expiry <= now) this.records.delete(name);
    else this.records.set(name, { state, expiry });
    for (const holder of state.holders) {
      if (held.has(holder.id)) continue;
      this.grantedIn.set(holder.id, this.epoch);
      const asks = operation.kind === 'acquire' || operation.kind === 'takeOver';
      const asked = asks && operation.id === holder.id;
      if (!asked)
        this.onGrant(holder, guards.has(holder.id) ? CLAIM_WINDOW + (guards.get(holder.id) ?? 0) : 0);
    }
    this.onApply(before, state);
    return answer;
  }

  /** The transaction of the native path: writes the record of a free name as it is given; true also when that is over. */
  takeFree(name: string, operation: AcquireOperation, hold: DatedHold): { now: number; written: boolean } {
    const now = this.time();
    if (this.recall(name, now)) return { now, written: false };
    const expiry = Math.ceil(hold.until / 1_000) * 1_000;
    if (expiry > now) {
      const state = takenState(operation, hold);
      this.records.set(name, { state, expiry });
      this.grantedIn.set(operation.id, this.epoch);
      this.onApply([], state);
    }
    return { now, written: true };
  }

  /** Deletes a record that is still as it was written. */
  deleteIfEqual(name: string, written: LockState): boolean {
    const state = this.recall(name, this.time());
    if (JSON.stringify(state) !== JSON.stringify(written)) return false;
    this.records.delete(name);
    this.onApply([], emptyState());
    return true;
  }

  /** What is stored of a name, as it is. */
  record(name: string): LockState | undefined {
    return this.recall(name, this.time());
  }

  /** Whether a hold is there and not over. */
  keeps(name: string, id: string): boolean {
    const now = this.time();
    return (
      this.recall(name, now)?.holders.some((holder) => holder.id === id && holder.deadline > now) ?? false
    );
  }

  /** The id that a hold had before it was taken over. */
  idBefore(id: string): string | undefined {
    return this.before.get(id);
  }

  /** Since which loss of the records a hold is there, and whether it still counts: not after a loss or by force. */
  epochOf(id: string): number {
    return this.forced.has(id) ? -1 : (this.grantedIn.get(id) ?? 0);
  }

  subscribe(session: string, connection: object, deliver: Deliver): void {
    const listeners = this.channels.get(session);
    if (listeners) listeners.set(connection, deliver);
    else this.channels.set(session, new Map([[connection, deliver]]));
  }

  unsubscribe(session: string, connection: object): void {
    this.channels.get(session)?.delete(connection);
  }

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
    for (const command of this.inbox.splice(0)) this.timeline.after(0, () => this.read(command));
  }

  /** FLUSHALL, or the eviction of every key. */
  lose(): void {
    this.epoch += 1;
    this.records.clear();
  }

  /** Crashes and starts again, empty. What it had not read yet is gone, and so are its channels. */
  restart(): void {
    this.lose();
    this.runId += 1;
    this.inbox.length = 0;
    this.channels.clear();
  }

  /** The wall clock is set. */
  step(ms: number): void {
    this.stepped += ms;
  }

  private recall(name: string, now: number): LockState | undefined {
    const record = this.records.get(name);
    return record && record.expiry > now ? record.state : undefined;
  }

  private publish(name: string, notice: LockNotice): boolean {
    if (this.mute) return true; // an error is not the knowledge that nobody listens
    const listeners = this.channels.get(sessionOf(notice.id));
    for (const deliver of listeners?.values() ?? []) deliver(name, notice);
    this.timeline.note(
      () =>
        `server publishes ${notice.kind} for ${listeners ? notice.id.slice(0, 8) : 'nobody'} to ${listeners?.size ?? 0}`,
    );
    return (listeners?.size ?? 0) > 0 || !this.settings.counted;
  }
}
