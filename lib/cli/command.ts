import { setTimeout as pause } from 'node:timers/promises';
import {
  createLockService,
  type LockLogEntry,
  type LockReport,
  type LockService,
  type LockServiceOptions,
  LockStoreError,
} from '../plain.js';
import { CommandError, EXIT, exitCodeOf } from './command-error.js';
import { type Command, commandIn, HELP } from './command-line.js';
import { whereIn, type Where } from './connection.js';
import { examine } from './doctor.js';
import { LiveView } from './live-view.js';
import { card, heading, inUse, row, WHERE } from './lock-words.js';
import type { Interruption } from './interruption.js';
import { harmless, Output, type Streams } from './output.js';
import { revoke } from './revocation.js';

// The first answer may take some time, as behind sentinels of which one is silent.
const PATIENCE = 2_000;
const AGAIN_AFTER = 100;

/** Runs the command with the arguments. Returns its exit code when all that it has printed is on its way. */
export async function run(
  args: readonly string[],
  streams: Streams,
  env: Readonly<Record<string, string | undefined>>,
  interruption: Interruption,
): Promise<number> {
  const output = new Output(streams);
  try {
    try {
      const command = commandIn(args);
      if (!command) await output.write(HELP);
      else
        await new Execution(command, await whereIn(command.place, env), output, streams, interruption).run();
    } finally {
      output.endProgress();
      await output.flush();
    }
    return EXIT.done;
  } catch (error) {
    const code = exitCodeOf(error);
    const { message } = error as Error;
    const told =
      code === EXIT.unexpected && !(error instanceof CommandError) ? `Unexpected: ${message}` : message;
    for (const line of told.split('\n')) output.note(harmless(line));
    await output.flushNotes();
    return code;
  }
}

/** One command at one store. */
class Execution {
  private readonly locks: LockService;
  private readonly options: LockServiceOptions;
  private readonly entries: LockLogEntry[] = [];

  constructor(
    private readonly command: Command,
    where: Where,
    private readonly output: Output,
    private readonly streams: Streams,
    private readonly interruption: Interruption,
  ) {
    // What else the application asks for is looked at by the doctor alone.
    const { demands, ...place } = where;
    this.options = command.verb === 'doctor' ? { ...place, ...demands } : place;
    const write = (entry: LockLogEntry): void => void this.entries.push(entry);
    this.locks = createLockService({
      ...this.options,
      ...{ shutdownGrace: 0, log: { write, warn: () => undefined } },
    });
  }

  async run(): Promise<void> {
    try {
      await this.execute();
    } finally {
      await this.locks.close();
    }
  }

  private async execute(): Promise<void> {
    const { command, locks, output } = this;
    const { verb, name, json, every, times } = command;
    if (verb === 'doctor') return examine(this.options, locks, output, json);
    if (verb === 'ls') return this.list();
    await this.reach(name ?? 'any name');
    if (verb === 'show') return this.show(await locks.inspect(name ?? ''));
    if (verb === 'revoke') return revoke(command, locks, this.entries, output, this.streams);
    const view = new LiveView(locks, output, this.interruption.takeOver(), json);
    try {
      await view.watch(name, every, times);
    } finally {
      this.interruption.giveBack();
    }
  }

  /** Waits for the first answer. Rejects when there is none, or a refusal. */
  private async reach(name: string): Promise<void> {
    for (const end = performance.now() + PATIENCE; ;) {
      try {
        await this.locks.inspect(name);
        return;
      } catch (error) {
        if (!(error instanceof LockStoreError)) throw error;
        if (error.foreign) return; // an answer as well
        if (error.refused || performance.now() > end) throw error;
        await pause(AGAIN_AFTER);
      }
    }
  }

  private async list(): Promise<void> {
    const { command, locks, output } = this;
    await this.reach('any name');
    let count = 0;
    output.beginProgress();
    for await (const report of locks.list()) {
      if (count === 0 && !command.json) await output.line(heading());
      count += 1;
      output.count();
      await output.line(command.json ? JSON.stringify(report) : row(report));
      if (output.gone) break;
    }
    output.endProgress();
    if (count === 0 && !command.json) output.note(`Nobody holds a lock or waits for one here. ${WHERE}`);
  }

  private async show(report: LockReport): Promise<void> {
    const { json } = this.command;
    await this.output.line(json ? JSON.stringify(report) : card(report).join('\n'));
    if (!inUse(report))
      throw new CommandError(
        `Nobody holds '${harmless(report.name)}' or waits for it, under the key ${harmless(report.key)}. ${WHERE}`,
        EXIT.refused,
      );
  }
}
