import type { Clock } from '../../base/clock.js';
import type { LockStoreError } from '../../base/errors.js';
import type { Durability } from '../lock-store.js';
import { PendingCommand } from './pending-command.js';
import type { RedisConnection } from './redis-connection.js';
import type { ScriptArguments, ScriptHost, ScriptName } from './run-script.js';
import { MOST_KEYS, type ScriptCall } from './script-batch.js';

// A server looks ten times a second (`hz`) for a WAIT whose time is over. It is to be answered before the acquire's time
// is, so that the caller learns the count; of a short time it has half.
const STEP = 110;
// The server ends a WAIT by itself; without a word this much later it is taken for silent.
const GRACE = 500;

/** Who is told what became of an acquire. */
export interface AcquireListener {
  /** The script's reply; true when it is a grant, of which `acknowledged` or `unacknowledged` follows. */
  replied(reply: unknown, sentAt: number, receivedAt: number): boolean;
  acknowledged(replicas: number, receivedAt: number): void;
  /** It is granted, and too few replicas have it. */
  unacknowledged(error: LockStoreError, receivedAt: number): void;
  /** As for any other command; nothing is known of a grant. */
  failed(error: LockStoreError): void;
}

/** Acquires that leave together, with one WAIT behind them. */
interface Group {
  /** Whether the WAIT has no answer yet. */
  open: boolean;
  readonly sentAt: number;
  readonly granted: Asked[];
}

/** What grants a lock. */
type GrantScript = ScriptName & ('acquire' | 'takeOver');

interface Asked extends ScriptCall {
  readonly script: GrantScript;
  readonly on: AcquireListener;
  group?: Group;
}

/**
 * Acquires of one server whose grants count when enough replicas have them: `EVALSHA … WAIT` in one write. WAIT speaks of
 * the last write of its own connection, so the script that grants goes over the same one, and it writes whenever it
 * grants, also an id that has the lock already. And WAIT stops the server from reading what else comes over its
 * connection, so this one is for acquires only; those that come meanwhile leave together when it is answered.
 */
export class AcknowledgedAcquires implements ScriptHost {
  private waiting: Asked[] = [];
  /** A WAIT, or the connection itself, is waited for. */
  private busy = false;
  private gathering = false;

  constructor(
    /** For this alone. */
    readonly connection: RedisConnection,
    /** For all other commands. */
    readonly main: RedisConnection,
    private readonly durability: Durability,
    private readonly clock: Clock,
  ) {}

  /** The error of an acquire while the two connections lead to different servers; undefined while they do not. */
  get elsewhere(): LockStoreError | undefined {
    const { connection, main } = this;
    const known = connection.runId !== '' && main.runId !== '';
    return known && connection.runId !== main.runId ? main.failures.elsewhere() : undefined;
  }

  /** One of the two connections is up: the `older` one has not followed a failover if it leads to another server. */
  align(older: RedisConnection): void {
    if (this.elsewhere) older.leave();
  }

  readonly unknown = (): void => this.connection.unknown();

  /** Asks for the lock of `key`; `timeout` is for the acknowledgement, too. */
  ask(script: GrantScript, key: string, args: ScriptArguments, timeout: number, on: AcquireListener): void {
    const command = new PendingCommand<unknown>(
      this.connection,
      script,
      timeout,
      this.clock.now(),
      (reply, receivedAt) => this.replied(asked, reply, receivedAt),
      (error) => on.failed(error),
    );
    const asked: Asked = { script, key, args, command, tellsFirst: false, on };
    this.add(asked);
  }

  /** What is sent again goes with the next WAIT. */
  failed(name: ScriptName, calls: readonly ScriptCall[], error: Error): void {
    this.connection.recover(name, calls, error, (call) => this.add(call as Asked));
  }

  private add(asked: Asked): void {
    this.waiting.push(asked);
    this.connection.expect(asked.command);
    if (this.busy || this.gathering) return;
    this.gathering = true;
    process.nextTick(this.flush); // with what else is asked in this turn
  }

  private readonly flush = (): void => {
    this.gathering = false;
    const asked = this.waiting.filter(({ command }) => !command.tooLate);
    this.waiting = asked;
    if (asked.length === 0 || this.busy) return;
    const now = this.clock.now();
    const left = Math.max(...asked.map(({ command }) => command.deadline - now));
    if (this.connection.up) {
      this.waiting = [];
      return this.send(asked, now, left);
    }
    this.busy = true;
    const then = (): void => {
      this.busy = false;
      this.flush();
    };
    // Before the deadline, since its error says why.
    this.connection.ready(left * 0.9).then(then, (error: LockStoreError) => {
      for (const { command } of this.waiting.splice(0)) this.connection.giveUp(command, error);
      then();
    });
  };

  private send(calls: readonly Asked[], sentAt: number, left: number): void {
    const { connection, durability } = this;
    const group: Group = { open: true, sentAt, granted: [] };
    for (const asked of calls) asked.group = group;
    const ms = Math.max(1, Math.floor(Math.min(durability.timeout, Math.max(left - STEP, left / 2))));
    const wait = new PendingCommand<number>(
      connection,
      'WAIT',
      ms + GRACE,
      sentAt,
      (count) => {
        const enough = count >= durability.replicas;
        this.end(
          group,
          count,
          enough ? undefined : connection.failures.unacknowledged(count, durability, ms),
        );
      },
      (error) => this.end(group, 0, error),
    );
    this.busy = true;
    connection.expect(wait);
    connection.inOneWrite((client) => {
      for (const part of parts(calls)) connection.run(part[0]?.script ?? 'acquire', part, this);
      client.wait(durability.replicas, ms).then(
        (count) => wait.resolve(count),
        (error: Error) => wait.reject(error),
      );
    });
  }

  private replied(asked: Asked, reply: unknown, receivedAt: number): void {
    const group = asked.group as Group;
    if (!asked.on.replied(reply, group.sentAt, receivedAt)) return;
    if (group.open) group.granted.push(asked);
    // The script was not known, and its text went out behind the WAIT. The same id asks again, which writes again.
    else this.add(asked);
  }

  private end(group: Group, replicas: number, error?: LockStoreError): void {
    const now = this.clock.now();
    group.open = false;
    this.busy = false;
    for (const { on } of group.granted)
      if (error) on.unacknowledged(error, now);
      else on.acknowledged(replicas, now);
    this.flush();
  }
}

/** What is asked of one key keeps its order, and one call runs one script and names each key once. */
function parts(calls: readonly Asked[]): Asked[][] {
  const all: Asked[][] = [];
  for (const asked of calls) {
    const last = all.at(-1);
    const same = last && last.length < MOST_KEYS && last[0]?.script === asked.script;
    const fits = same && !last.some(({ key }) => key === asked.key);
    if (fits) last.push(asked);
    else all.push([asked]);
  }
  return all;
}
