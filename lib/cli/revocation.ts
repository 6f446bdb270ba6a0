import { createInterface } from 'node:readline/promises';
import type { LockLogEntry, LockReport, LockService } from '../plain.js';
import { CommandError, EXIT, usage } from './command-error.js';
import type { Command } from './command-line.js';
import { card, WHERE } from './lock-words.js';
import { harmless, type Output, type Streams } from './output.js';

/**
 * Takes a lock away, after showing who holds it and asking. Whoever has it by the time of the answer is shown and asked
 * about again.
 *
 * @throws CommandError when nobody holds it, or whoever was asked said no
 */
export async function revoke(
  { name = '', reason, force, yes, json }: Command,
  locks: Pick<LockService, 'inspect' | 'revoke'>,
  entries: readonly LockLogEntry[],
  output: Output,
  streams: Streams,
): Promise<void> {
  let report = await heldLock(locks, name);
  for (let agreed = yes; !agreed;) {
    await ask(report, force, streams);
    const shown = grantsIn(report);
    report = await heldLock(locks, name);
    agreed = grantsIn(report) === shown;
    if (!agreed)
      streams.stderr.write(
        '\nThe lock has changed hands meanwhile (--yes takes it from whoever holds it):\n',
      );
  }
  if (!(await locks.revoke(name, { reason, force }))) throw force ? free(report) : left(report);
  const line = entries.find(({ event }) => event === 'revoked');
  await output.line(
    json ? JSON.stringify({ name, reason, force, holders: report.holders }) : harmless(line?.message ?? ''),
  );
}

/** @throws CommandError when nobody holds the lock */
async function heldLock(locks: Pick<LockService, 'inspect'>, name: string): Promise<LockReport> {
  const report = await locks.inspect(name);
  if (report.holders.length === 0) throw free(report);
  return report;
}

/** Which grants the holders have. */
function grantsIn({ holders }: LockReport): string {
  return holders.map(({ fences }) => fences[0]).join();
}

function free({ name, key }: LockReport): CommandError {
  return new CommandError(
    `Nobody holds '${harmless(name)}', under the key ${harmless(key)}: there is nothing to revoke. ${WHERE}`,
    EXIT.refused,
  );
}

function left({ name }: LockReport): CommandError {
  return new CommandError(
    `Nobody works under '${harmless(name)}' any more. If it is still shown as held, its minHold keeps it: --force frees it.`,
    EXIT.refused,
  );
}

async function ask(report: LockReport, force: boolean, { stdin, stderr }: Streams): Promise<void> {
  if (stdin.isTTY !== true || stderr.isTTY !== true)
    throw usage('revoke asks before it takes a lock away, and there is nobody to ask here: add --yes.');
  const how = force
    ? 'Free it at once? Only fences protect what the present holder still writes.'
    : 'Revoke it? It is free when the present holder gives it back, or when its lease ends.';
  stderr.write(`${card(report).join('\n')}\n\n`);
  const terminal = createInterface({ input: stdin, output: stderr });
  // Here the terminal sends no signal by itself.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve(''))); // Ctrl-D
  const answer = await Promise.race([terminal.question(`${how} [y/N] `), ended]);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError('Nothing was revoked.', EXIT.refused);
}
