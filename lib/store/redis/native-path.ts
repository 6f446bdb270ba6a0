import type { Redis } from 'ioredis';
import { tighter } from '../native-grant.js';
import type { ServerSample } from '../server-clock.js';
import { codeOf, isLost, isUnsent } from './redis-failures.js';
import { sendLean } from './lean-command.js';
import {
  NativeReply,
  type ClockOfServer,
  type NativeAcquire,
  type NativeCommand,
  type NativeOutcome,
  type NativeRelease,
} from './native-command.js';
import { digestOf } from './run-script.js';
import { inOneWrite } from './turn-write.js';

// No client has it: asking to end it shows whether we may end any.
const NOBODY = '9223372036854775807';

/** A connection, as its server knows it. */
interface Known {
  readonly runId: string;
  readonly id: number;
}

/**
 * What a server does without the scripts of the rules, over one connection: it takes a free name in a transaction, and gives
 * it back by a command that compares and deletes (Valkey 9.0), or by a script of two commands.
 *
 * A copy that is read late is a hold for nobody. So a connection that was lost with such a command on its way is ended at the
 * server, too, before anything goes over the next one: nothing of it is read after that. Where the server does not let
 * us do so, or does not say who it is, scripts do it all.
 */
export class NativePath implements ClockOfServer {
  /** Whether the server does so, and lets us. */
  serving = false;
  /** It let us begin a transaction, and not end it. */
  private useless = false;
  /** The command that compares and deletes: a small script, where the server has none. */
  private remover = byScript;
  private present: Known | undefined;
  /** The sample of this server's clock that says most. */
  private tightest: ServerSample | undefined;
  /** Connections of before that were lost with a command on its way. */
  private left: Known[] = [];

  /** Learns what a new connection may do; resolves when nothing of those before is read any more. */
  async begin(client: Redis, runId: string, info: string): Promise<void> {
    this.serving = false;
    this.present = undefined;
    this.tightest = undefined;
    if (this.useless || runId === '') return;
    const allowed = (...words: [string, ...(string | number)[]]): Promise<boolean> =>
      client.call(...words).then(
        () => true,
        () => false,
      );
    // Another server reads nothing of what was written to the one before, and has other clients by the same numbers.
    const left = this.left.filter((each) => each.runId === runId);
    const [id, begins, ends, ...ended] = await Promise.all([
      client.call('CLIENT', 'ID').catch(() => undefined),
      allowed('MULTI'),
      allowed('EXEC'),
      ...[NOBODY, ...left.map((each) => each.id)].map((each) => allowed('CLIENT', 'KILL', 'ID', each)),
    ]);
    if (client.status !== 'ready') return;
    this.left = [];
    if (begins && !ends) return this.leave(client);
    if (typeof id === 'number') this.present = { runId, id };
    this.serving = this.present !== undefined && begins && ended.every(Boolean);
    this.remover = removerOf(info);
  }

  sample(latest: ServerSample | undefined, now: number): ServerSample | undefined {
    return (this.tightest = tighter(this.tightest, latest, now));
  }

  forgetSample(): void {
    this.tightest = undefined;
  }

  run(client: Redis, key: string, command: NativeCommand, outcome: NativeOutcome): void {
    if (command.kind === 'acquire') this.acquire(client, key, command, outcome);
    else this.release(client, key, command, outcome);
  }

  private acquire(client: Redis, key: string, command: NativeAcquire, outcome: NativeOutcome): void {
    const { present } = this;
    let refusal: Error | undefined;
    const refused = (error: Error): void => void (refusal ??= error);
    const nothingDone = (): void => {
      command.unknown = false;
      if (command.givenUp) outcome.replied(new NativeReply(undefined));
      else outcome.otherwise();
    };
    const done = (reply: unknown): void => {
      const [time, written] = reply as readonly [readonly string[], unknown];
      if (written !== 'OK') return nothingDone(); // the name is not free, or the server refuses the write: the script says
      command.unknown = false;
      outcome.replied(new NativeReply(Number(time[0]) * 1_000_000 + Number(time[1])));
    };
    const failed = (error: Error): void => {
      if (error.message.startsWith('EXECABORT')) {
        const code = refusal && codeOf(refusal);
        if (code === 'ERR' || code === 'NOPERM') this.serving = false;
        return nothingDone();
      }
      if (isUnsent(error)) command.unknown = false;
      else if (!isLost(error)) this.leave(client);
      else if (present && !this.left.includes(present)) this.left.push(present);
      outcome.failed(error);
    };
    command.unknown = true;
    inOneWrite(client, () => {
      sendLean(client, 'multi', [], ignored, refused);
      sendLean(client, 'time', [], ignored, refused);
      sendLean(
        client,
        'set',
        [key, command.record, 'NX', 'PXAT', Math.ceil(command.hold.until / 1_000)],
        ignored,
        refused,
      );
      sendLean(client, 'exec', [], done, failed);
    });
  }

  private release(client: Redis, key: string, command: NativeRelease, outcome: NativeOutcome): void {
    const [name, ...args] = this.remover(key, command.record);
    sendLean(
      client,
      name,
      args,
      (reply) => (Number(reply) === 1 ? outcome.replied(new NativeReply(undefined)) : outcome.otherwise()),
      (error) => {
        if (isUnsent(error) || isLost(error)) return outcome.failed(error);
        const code = codeOf(error);
        if (code === 'ERR' || code === 'NOPERM') this.remover = byScript;
        outcome.otherwise(); // the record has the other form, or the server knows no such script: the script of the rules says
      },
    );
  }

  /** What the server takes for a part of a transaction is never carried out. */
  private leave(client: Redis): void {
    this.useless = true;
    this.serving = false;
    client.disconnect(true);
  }
}

function ignored(): void {
  // What is said before EXEC matters only where it is an error.
}

type Remover = (key: string, record: string) => readonly [command: string, ...args: (string | number)[]];

const byScript: Remover = (key, record) => ['evalsha', digestOf('deleteIfEqual'), 1, key, record];

function removerOf(info: string): Remover {
  const [, major] = /^valkey_version:(\d+)\./m.exec(info) ?? [];
  return Number(major) >= 9 ? (key, record) => ['delifeq', key, record] : byScript;
}
