/** Looks after callers who wait while they hold something: says so to the store, and finds those who wait for each other. */
import type { CancelTimer, Clock } from '../base/clock.js';
import type { DeadlockMember } from '../base/errors.js';
import { outsideContext } from '../base/outside-context.js';
import { livingWaiters, SIGN_OF_LIFE, type Holder } from '../store/lock-machine.js';
import type { StuckHold } from '../store/lock-operation.js';
import type { LockReading, LockStore } from '../store/lock-store.js';
import { micros } from '../store/server-clock.js';
import { exclusive, holderOf, type HeldLease, type Holding } from './request.js';
import { cyclesIn, keyOf, lastToHold, victimOf, type Cycle, type Stuck } from './wait-graph.js';

const TICK = 250;
// Whoever waits for less says nothing of what it holds: most waits are over by then.
const TOLD_AFTER = 250;
const WALK_AFTER = 1_000;
// Between the two walks that have to find the same.
const WALK_EVERY = 1_000;
const READ_TIMEOUT = 500;

// How much a waiter says, and how far a walk goes.
export const MOST_TOLD = 16;
const LONGEST_TOLD = 1_024; // bytes of names
const MOST_READ = 32;
const DEEPEST = 8;
const MOST_STUCK = 512;
const MOST_REMEMBERED = 256;

/** Those who wait for each other, and the one of them who has to give way, if any. */
export interface Deadlock {
  readonly members: readonly DeadlockMember[];
  readonly victim: DeadlockMember | undefined;
}

/** A caller who stands in line; caller.ts says more of each member. */
export interface WaitingCaller {
  readonly since: number;
  readonly linked: boolean;
  readonly request: { readonly holding?: Holding | undefined };
  turn?: number;
  deadlock?: readonly DeadlockMember[] | undefined;
}

/** A line whose callers may wait for each other. */
export interface WatchedLine {
  readonly name: string;
  /** The callers in line who hold something, in the order of the line. */
  readonly holders: readonly WaitingCaller[];
  /** Sets whether the store is told what they hold. */
  tellHolding(tells: boolean): void;
  /** Sends a caller away with reason `deadlock`. */
  giveWay(caller: WaitingCaller): void;
}

/** A hold of this process whose caller waits. */
interface OwnStuck extends Stuck {
  readonly caller: WaitingCaller;
  readonly line: WatchedLine;
  readonly lease: HeldLease;
}

/** What is left of a walk for the next one: server times by name, which signs of life have to be later than. */
interface Sighting {
  readonly at: number;
  readonly after: ReadonlyMap<string, number>;
}

/**
 * All callers of this process who wait while they hold something. After a quarter of a second their entries in the store's
 * queue say what they hold; after a second this process walks from what it holds to those who wait for it, to what these
 * hold, and so on. It reports a deadlock when two walks, a second apart, have found the same holds and waits, and every
 * waiter of another process has said in between that nothing has changed.
 */
export class DeadlockWatch {
  private readonly lines = new Set<WatchedLine>();
  private cancelTick: CancelTimer | undefined;
  private walking = false;
  private walkedAt = -Infinity;
  private turns = 0;
  /** The cycles of the last walk. */
  private seen = new Map<string, Sighting>();
  /** Those of them that are deadlocks. */
  private confirmed = new Map<string, readonly DeadlockMember[]>();
  private readonly reported = new Set<string>();
  private closed = false;

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
    private readonly lineOf: (name: string) => WatchedLine | undefined,
    private readonly onDeadlock: (deadlock: Deadlock) => void = () => undefined,
  ) {}

  /** A caller who holds something begins to wait in `line`. */
  watch(line: WatchedLine): void {
    this.lines.add(line);
    this.cancelTick ??= this.nextTick();
  }

  close(): void {
    this.closed = true;
    this.cancelTick?.();
    this.lines.clear();
  }

  /**
   * What is not given back before a place in the queue of `line` was granted: what its callers hold, what is held by those
   * who wait in this process for that, and so on.
   */
  stuckBehind(line: WatchedLine): readonly StuckHold[] | undefined {
    const told: StuckHold[] = [];
    let bytes = 0;
    const tell = (from: WatchedLine, behind: number): void => {
      for (const { name, id, fence, turn, yields } of this.stuckIn(from)) {
        bytes += Buffer.byteLength(name);
        if (told.length === MOST_TOLD || bytes > LONGEST_TOLD) return;
        told.push({ name, id, fence, turn, yields, behind });
      }
    };
    const lines = new Set([line]);
    tell(line, -1);
    for (const [place, { name }] of told.entries()) {
      const behind = this.lineOf(name);
      if (!behind || lines.has(behind)) continue;
      lines.add(behind);
      tell(behind, place);
    }
    return told.length > 0 ? told : undefined;
  }

  private nextTick(): CancelTimer {
    return outsideContext(() => this.clock.after(TICK, () => this.tick()));
  }

  private tick(): void {
    this.cancelTick = undefined;
    if (this.closed) return;
    const now = this.clock.now();
    let since = now;
    for (const line of this.lines) {
      const stuck = this.stuckIn(line);
      line.tellHolding(stuck.length > 0);
      if (line.holders.length === 0) this.lines.delete(line);
      for (const { caller } of stuck) since = Math.min(since, caller.since);
    }
    if (this.lines.size > 0) this.cancelTick = this.nextTick();
    const sighted = [...this.seen.values()].some(({ at }) => now - at >= WALK_EVERY);
    const due = sighted || now - this.walkedAt >= WALK_EVERY;
    if (now - since >= WALK_AFTER && due && !this.walking) void this.walk(now);
  }

  /** The holds whose callers have waited in a line of this process for some time, each once. */
  private stuckIn(line: WatchedLine): OwnStuck[] {
    const now = this.clock.now();
    const found = new Map<string, OwnStuck>();
    for (const caller of line.holders) {
      const { holding } = caller.request;
      if (!holding || now - caller.since < TOLD_AFTER) continue;
      for (const lease of heldWhileWaiting(holding, line.name)) {
        const { id } = lease.hold;
        if (found.has(id)) continue;
        const turn = (caller.turn ??= this.turns += 1);
        const { name, fence, identity } = lease;
        const { yields } = holding;
        found.set(id, { name, id, fence, turn, yields, waitsFor: line.name, identity, caller, line, lease });
      }
    }
    return [...found.values()];
  }

  private async walk(now: number): Promise<void> {
    this.walking = true;
    this.walkedAt = now;
    const own = [...this.lines].flatMap((line) => this.stuckIn(line));
    const walk = new Walk(this.store, this.clock);
    await walk.run(own);
    this.walking = false;
    if (!this.closed) this.judge(own, walk);
  }

  private judge(own: readonly OwnStuck[], walk: Walk): void {
    const at = this.clock.now();
    const starts = own.filter((each) => stillStuck(each) && walk.confirms(each));
    const cycles = cyclesIn<Stuck>([...starts, ...walk.others], starts);
    const [before, confirmed] = [this.seen, this.confirmed];
    this.seen = new Map();
    this.confirmed = new Map();
    for (const { caller } of own) if (caller.deadlock) caller.deadlock = undefined;
    for (const cycle of cycles) {
      const key = keyOf(cycle);
      const sighting = before.get(key);
      const known = confirmed.get(key);
      const again =
        sighting && at - sighting.at >= WALK_EVERY && cycle.every((each) => isTold(each, sighting));
      this.seen.set(key, sighting && !again ? sighting : { at, after: walk.serverTimes(at) });
      if (!again && !known) continue;
      const members = known ?? membersOf(cycle);
      this.confirmed.set(key, members);
      for (const each of cycle) if (isOwn(each)) each.caller.deadlock = members;
      if (again) this.act(cycle, key, members);
    }
  }

  /** It is a deadlock, by two walks. */
  private act(cycle: Cycle, key: string, members: readonly DeadlockMember[]): void {
    if (!cycle.every((each) => !isOwn(each) || stillStuck(each))) return; // another one's end was that of this one, too
    const victim = victimOf(cycle);
    if (isOwn(lastToHold(cycle)) && !this.reported.has(key)) {
      if (this.reported.size === MOST_REMEMBERED) this.reported.clear();
      this.reported.add(key);
      const yields = victim && members[cycle.indexOf(victim)];
      this.onDeadlock({ members, victim: yields });
    }
    if (victim && isOwn(victim)) victim.line.giveWay(victim.caller);
  }
}

/** One walk: from holds of this process to those who wait for them, to what these hold, and so on. It only reads. */
class Walk {
  private readonly readings = new Map<string, (LockReading & { readonly receivedAt: number }) | undefined>();
  private readonly found: Stuck[] = [];

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
  ) {}

  async run(own: readonly OwnStuck[]): Promise<void> {
    let names = new Set(own.map(({ name }) => name));
    for (let depth = 0; depth < DEEPEST && names.size > 0; depth += 1) {
      const some = [...names].slice(0, MOST_READ - this.readings.size);
      await Promise.all(some.map((name) => this.read(name)));
      names = new Set();
      for (const each of some)
        for (const { name } of this.behind(each)) if (!this.readings.has(name)) names.add(name);
    }
  }

  /** The holds of other processes that were found, and are held by whom the store says. */
  get others(): readonly Stuck[] {
    return this.found.flatMap((each) => {
      const holder = this.soleHolderOf(each.name);
      return holder?.id === each.id ? [{ ...each, identity: holder.identity }] : [];
    });
  }

  /** Whether the store agrees, where it was asked, that this process has the hold. */
  confirms({ name, id }: Stuck): boolean {
    return this.readings.get(name) === undefined || this.soleHolderOf(name)?.id === id;
  }

  /** What the clock of the server of each name shows at the local time `at`. */
  serverTimes(at: number): ReadonlyMap<string, number> {
    const times = new Map<string, number>();
    for (const [name, reading] of this.readings)
      if (reading) times.set(name, reading.now + micros(at - reading.receivedAt));
    return times;
  }

  private async read(name: string): Promise<void> {
    // What cannot be read is not walked through: a cycle inside this process is found without the store.
    const reading = await this.store.read(name, READ_TIMEOUT).catch(() => undefined);
    this.readings.set(name, reading && { ...reading, receivedAt: this.clock.now() });
  }

  /** Finds what other processes hold while they wait for `queue`. */
  private behind(queue: string): readonly Stuck[] {
    const reading = this.readings.get(queue);
    const found: Stuck[] = [];
    for (const { id, alive, holding } of reading ? livingWaiters(reading.state, reading.now) : []) {
      if (!holding || sessionOf(id) === this.store.session) continue;
      for (const { behind, ...hold } of holding.slice(0, MOST_TOLD)) {
        const waitsFor = behind < 0 ? queue : holding[behind]?.name;
        if (waitsFor !== undefined) found.push({ ...hold, waitsFor, identity: '', told: { queue, alive } });
      }
    }
    found.length = Math.min(found.length, MOST_STUCK - this.found.length);
    this.found.push(...found);
    return found;
  }

  /** Who has all of a name, as the store said. */
  private soleHolderOf(name: string): Holder | undefined {
    const reading = this.readings.get(name);
    if (!reading) return undefined;
    const { holders, capacity } = reading.state;
    const [only, ...others] = holders.filter(({ deadline }) => deadline > reading.now);
    const usable = only && !only.kept && only.revocation === undefined;
    return usable && only.units === capacity && others.length === 0 ? only : undefined;
  }
}

/** What a caller holds while it waits for `awaited`. */
function heldWhileWaiting(holding: Holding, awaited: string): readonly HeldLease[] {
  const held: HeldLease[] = [];
  for (const lease of holding.leases()) {
    if (!exclusive(lease.hold.terms)) continue;
    // It would wait for itself, unless its context is that of somebody else: then only what was taken inside is its own.
    if (lease.name === awaited) break;
    if (lease.over === undefined) held.push(lease);
  }
  return held;
}

function isOwn(stuck: Stuck): stuck is OwnStuck {
  return stuck.told === undefined;
}

function stillStuck({ caller, lease }: OwnStuck): boolean {
  return caller.linked && lease.over === undefined;
}

/** Whether its process has said after the end of that walk that it holds and waits; of this process that is known. */
function isTold({ told }: Stuck, { after }: Sighting): boolean {
  return !told || told.alive - SIGN_OF_LIFE > (after.get(told.queue) ?? Infinity);
}

function membersOf(cycle: Cycle): readonly DeadlockMember[] {
  return cycle.map(({ name, fence, identity, waitsFor }) => {
    const holder = holderOf(identity);
    return { name, fence, ...(holder && { holder }), waitsFor };
  });
}

function sessionOf(id: string): string {
  return id.slice(0, Math.max(0, id.indexOf('.')));
}
