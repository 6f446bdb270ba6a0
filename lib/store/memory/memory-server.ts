import { wallTime, type CancelTimer, type Clock } from '../../base/clock.js';
import { LockStoreError } from '../../base/errors.js';
import {
  type LatchAnswer,
  type LatchOperation,
  applyLatchOperation,
  emptyLatch,
  latchExpiryOf,
  type LatchState,
} from '../latch-machine.js';
import { applyOperation, emptyState, expiryOf, sessionOf, type LockState } from '../lock-machine.js';
import type { AnswerTo, LockNotice, LockOperation } from '../lock-operation.js';
import { micros } from '../server-clock.js';

/** How a session hears; false when it does not listen. */
type Hear = (name: string, notice: LockNotice) => boolean;

interface Entry {
  readonly state: LockState;
  expiry: number;
}

// Expired names are looked for so often, among so many names at once.
const SWEEP_EVERY = 1_000;
const SWEEP_AT_ONCE = 4_096;
// With many names it is done more often, so that each of them is looked at within about so many milliseconds: fewer at a
// time than come would never get to those that have expired.
const SWEEP_ALL = 5_000;
const SWEEP_SOONEST = 5;

/** What a Redis server is for the other stores: names, their records, a clock, and the connected sessions. */
export class MemoryServer {
  private readonly entries = new Map<string, Entry>();
  private readonly latches = new MemoryLatches();
  private readonly sessions = new Map<string, Hear>();
  private readonly started: number;
  private cursor: MapIterator<[string, Entry]> | undefined;
  private cancelSweep: CancelTimer | undefined;

  constructor(
    private readonly clock: Clock,
    /** How long a record outlives its use, in milliseconds. */
    private readonly fenceMemory = 60_000,
  ) {
    this.started = wallTime() - clock.now();
  }

  /** How many names it remembers. */
  get size(): number {
    return this.entries.size;
  }

  /** The server's clock: microseconds since 1970. It runs with the injected clock and never goes back. */
  time(): number {
    return this.timeAt(this.clock.now());
  }

  /** The same at a local time. */
  timeAt(local: number): number {
    return Math.floor((this.started + local) * 1_000);
  }

  connect(session: string, hear: Hear): void {
    this.sessions.set(session, hear);
    this.scheduleSweep();
  }

  disconnect(session: string): void {
    this.sessions.delete(session);
    if (this.sessions.size > 0) return;
    this.cancelSweep?.();
    this.cancelSweep = undefined;
  }

  apply<O extends LockOperation>(name: string, operation: O): AnswerTo<O> {
    const now = this.time();
    if (this.latches.has(name, now)) throw this.foreign(name, 'a latch');
    const state = this.recall(name, now) ?? emptyState();
    const answer = applyOperation(state, operation, now, (notice) => {
      const hear = this.sessions.get(sessionOf(notice.id));
      return hear ? hear(name, notice) : false;
    });
    if (answer.outcome !== 'late') this.remember(name, state, now);
    return answer;
  }

  applyLatch(name: string, operation: LatchOperation): LatchAnswer {
    const now = this.time();
    if (this.recall(name, now)) throw this.foreign(name, 'a lock');
    const answer = this.latches.apply(name, operation, now, (id) => {
      this.sessions.get(sessionOf(id))?.(name, { kind: 'opened', id });
    });
    this.scheduleSweep();
    return answer;
  }

  /** A copy of the record of a name. */
  read(name: string): { state: LockState; now: number } {
    const now = this.time();
    if (this.latches.has(name, now)) throw this.foreign(name, 'a latch');
    return { state: structuredClone(this.recall(name, now) ?? emptyState()), now };
  }

  /** The names that it remembers now, and perhaps some that come into use during the walk. */
  *names(): Generator<string> {
    let left = this.entries.size; // makes it end, since a name that is forgotten and used again moves to the end
    for (const name of this.entries.keys()) {
      if ((left -= 1) < 0) return;
      if (!this.latches.has(name, this.time())) yield name;
    }
  }

  private foreign(name: string, kind: string): LockStoreError {
    return new LockStoreError(
      `The key of '${name}' holds ${kind}: its name is in use; choose another name.`,
      name,
      { refused: true, foreign: true },
    );
  }

  private recall(name: string, now: number): LockState | undefined {
    const entry = this.entries.get(name);
    return entry && entry.expiry > now ? entry.state : undefined;
  }

  private remember(name: string, state: LockState, now: number): void {
    const expiry = expiryOf(state, now, micros(this.fenceMemory));
    if (state.fence === 0 || expiry <= now) this.entries.delete(name);
    else {
      const entry = this.entries.get(name);
      if (entry?.state === state) entry.expiry = expiry;
      else this.entries.set(name, { state, expiry });
    }
    this.scheduleSweep();
  }

  private scheduleSweep(): void {
    if (this.cancelSweep || this.entries.size + this.latches.size === 0 || this.sessions.size === 0) return;
    const often = Math.max(SWEEP_SOONEST, (SWEEP_ALL * SWEEP_AT_ONCE) / this.entries.size);
    this.cancelSweep = this.clock.after(Math.min(SWEEP_EVERY, often), () => this.sweep());
  }

  /** Forgets what has expired; looks at a bounded number of names, and continues there the next time. */
  private sweep(): void {
    this.cancelSweep = undefined;
    const now = this.time();
    if (!this.cursor) this.latches.sweep(now);
    for (let looked = 0; looked < SWEEP_AT_ONCE; looked += 1) {
      this.cursor ??= this.entries.entries();
      const next = this.cursor.next();
      if (next.done) {
        this.cursor = undefined;
        break;
      }
      const [name, { expiry }] = next.value;
      if (expiry <= now) this.entries.delete(name);
    }
    this.scheduleSweep();
  }
}

/** The countdown latches of a memory server. */
class MemoryLatches {
  private readonly latches = new Map<string, LatchState>();

  apply(name: string, operation: LatchOperation, now: number, opened: (id: string) => void): LatchAnswer {
    const state = this.latches.get(name) ?? emptyLatch();
    const answer = applyLatchOperation(state, operation, now, opened);
    if (latchExpiryOf(state) > now) this.latches.set(name, state);
    else this.latches.delete(name);
    return answer;
  }

  has(name: string, now: number): boolean {
    const state = this.latches.get(name);
    return state !== undefined && latchExpiryOf(state) > now;
  }

  get size(): number {
    return this.latches.size;
  }

  /** Forgets what has expired. */
  sweep(now: number): void {
    for (const [name, state] of this.latches) if (latchExpiryOf(state) <= now) this.latches.delete(name);
  }
}
