import type { LockReport, LockService } from '../plain.js';
import { CommandError, exitCodeOf } from './command-error.js';
import { holdersOf, inUse, longestWait, person, row, heading } from './lock-words.js';
import { harmless, span, type Output } from './output.js';

const HOME = '\x1b[H';
const CLEAR_REST = '\x1b[J';
const CLEAR_TO_END_OF_LINE = '\x1b[K';
// A walk over all names costs the server far more than a look at one: it rests for so many times its length.
const REST = 20;

// Over so many looks the hand-offs are averaged.
const KEPT_LOOKS = 10;

/** What one look at a name saw. */
interface Look {
  readonly report: LockReport;
  /** Hand-offs between processes a second, about. */
  readonly handOffs: number;
}

/**
 * How often a name is handed from process to process, estimated from looks at it. The queue is first come, first served, so
 * the head of a queue of n has seen n − 1 hand-offs come and is, at a random moment, half way through the next one:
 * hand-offs a second = (n − 0.5) / its wait. Hand-offs inside a process are not known to the server.
 */
export class HandOffRate {
  private readonly looks: { passed: number; waited: number }[] = [];
  private before: LockReport | undefined;

  /** Takes one more look into account. Returns hand-offs a second. */
  add(report: LockReport): number {
    const { before, looks } = this;
    this.before = report;
    const { length } = report.queue;
    if (length === 0) {
      looks.length = 0;
      return this.seen(before, report);
    }
    looks.push({ passed: length - 0.5, waited: Math.max(1, longestWait(report)) });
    if (looks.length > KEPT_LOOKS) looks.shift();
    const waited = looks.reduce((sum, look) => sum + look.waited, 0);
    const passed = looks.reduce((sum, look) => sum + look.passed, 0);
    // Before the second look: the head came while another one held it.
    const [holder, head] = [report.holders[0], report.queue[0]];
    const changed = before
      ? fenceOf(before) !== fenceOf(report)
      : !!holder && !!head && holder.since > head.since;
    return changed ? Math.max((passed / waited) * 1_000, this.seen(before, report)) : 0;
  }

  /** Another holder than before: there was one hand-off at least. */
  private seen(before: LockReport | undefined, now: LockReport): number {
    if (!before || now.holders.length === 0 || fenceOf(before) === fenceOf(now)) return 0;
    return 1_000 / Math.max(1, now.at.getTime() - before.at.getTime());
  }
}

function fenceOf({ holders }: LockReport): number | undefined {
  return holders[0]?.fences[0];
}

/** A live view of one name, or of all: a screen on a terminal, and lines elsewhere. */
export class LiveView {
  private readonly rate = new HandOffRate();

  constructor(
    private readonly locks: Pick<LockService, 'inspect' | 'list'>,
    private readonly output: Output,
    private readonly stopped: AbortSignal,
    private readonly json: boolean,
  ) {}

  /**
   * Looks every so many seconds, so many times, or until it is stopped. A look that fails is told, and the next one is tried.
   *
   * @throws CommandError when the last look has failed; when the first one fails, its error
   */
  async watch(name: string | undefined, every: number, times: number): Promise<void> {
    const { output, stopped, json } = this;
    const screen = output.onTerminal && !json;
    let failure: Error | undefined;
    if (screen) await output.write(`${HOME}${CLEAR_REST}`);
    if (screen) output.hideCursor();
    try {
      for (let look = 1; look <= times && !stopped.aborted && !output.gone; look += 1) {
        const began = performance.now();
        failure = undefined;
        const lines = await this.lines(name, screen, look).catch((error: Error) => {
          if (look === 1) throw error;
          failure = error;
          const told = harmless(`${new Date().toISOString()}  ${error.message}`);
          if (screen) return [told];
          output.note(told);
          return [];
        });
        if (!lines) break;
        if (screen) await output.write(this.framed(lines));
        else for (const line of lines) await output.line(line);
        const took = performance.now() - began;
        const pause = name === undefined ? Math.max(every * 1_000, REST * took) : every * 1_000 - took;
        if (look < times) await rest(pause, stopped);
      }
    } finally {
      output.showCursor();
    }
    if (failure) throw new CommandError(`The last look failed: ${failure.message}`, exitCodeOf(failure));
  }

  /** What one look shows; undefined when it was stopped. */
  private lines(name: string | undefined, screen: boolean, look: number): Promise<string[] | undefined> {
    if (name !== undefined) return this.one(name, screen);
    return this.json ? this.each(look) : this.all(screen);
  }

  private async one(name: string, screen: boolean): Promise<string[]> {
    const report = await this.locks.inspect(name);
    const look = { report, handOffs: this.rate.add(report) };
    if (this.json) return [jsonOf(look)];
    return screen ? screenOf(look, this.output.height) : [lineOf(look)];
  }

  /** Every name, as it is found; then the line that ends the look. */
  private async each(look: number): Promise<string[] | undefined> {
    let names = 0;
    for await (const report of this.locks.list()) {
      if (this.stopped.aborted || this.output.gone) return undefined;
      names += 1;
      await this.output.line(JSON.stringify({ look, ...report, longestWait: longestWait(report) }));
    }
    return [JSON.stringify({ look, at: new Date(), names })];
  }

  /** The names with the longest queues, and how many others there are. */
  private async all(screen: boolean): Promise<string[] | undefined> {
    const most = screen ? Math.max(1, this.output.height - 5) : 20;
    let top: LockReport[] = [];
    let count = 0;
    for await (const report of this.locks.list()) {
      if (this.stopped.aborted) return undefined;
      count += 1;
      top.push(report);
      if (top.length >= 10 * most) top = longestFirst(top).slice(0, most);
    }
    top = longestFirst(top).slice(0, most);
    const title = `${new Date().toISOString()}  ${count} ${count === 1 ? 'name' : 'names'} in use`;
    const left = count - top.length;
    return [
      title,
      ...(screen ? [''] : []),
      ...(count > 0 ? [heading()] : []),
      ...top.map(row),
      ...(left > 0 ? [`and ${left} more, with no longer queues; ls lists all names`] : []),
    ];
  }

  /** The lines as one screen, each cut to its width: what a longer line left is overwritten, so nothing flickers. */
  private framed(lines: readonly string[]): string {
    const { width, height } = this.output;
    const cut = lines
      .slice(0, height - 1)
      .map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line));
    return `${HOME}${cut.map((line) => `${line}${CLEAR_TO_END_OF_LINE}\r\n`).join('')}${CLEAR_REST}`;
  }
}

function longestFirst(reports: LockReport[]): LockReport[] {
  return reports.sort((a, b) => b.queue.length - a.queue.length || longestWait(b) - longestWait(a));
}

function jsonOf({ report, handOffs }: Look): string {
  return JSON.stringify({
    ...report,
    longestWait: longestWait(report),
    handOffsPerSecond: rounded(handOffs),
  });
}

function lineOf({ report, handOffs }: Look): string {
  const { name, at, holders, queue } = report;
  const [first] = holders;
  const held = first ? `held by ${holdersOf(report)}  fence ${first.fences[0]}` : 'free';
  return (
    `${at.toISOString()}  ${harmless(name)}  ${held}  queue ${queue.length}  longest wait ${span(longestWait(report))}  ` +
    `about ${rounded(handOffs)} hand-offs/s`
  );
}

function screenOf({ report, handOffs }: Look, height: number): string[] {
  const { name, at, holders, queue, permits, inUse: used } = report;
  const ago = (since: Date): string => span(at.getTime() - since.getTime());
  const head = [
    `${harmless(name)}   ${at.toISOString()}`,
    '',
    `  queue         ${queue.length}`,
    `  longest wait  ${span(longestWait(report))}`,
    `  hand-offs     about ${rounded(handOffs)} a second between processes`,
    ...(permits === undefined ? [] : [`  permits       ${used} of ${permits} in use`]),
    '',
    inUse(report) && holders.length > 0 ? 'HELD BY' : 'Nobody holds it.',
    ...holders
      .slice(0, 5)
      .flatMap((each) => [
        `  ${person(each)}`,
        `    ${each.kind}, fence ${each.fences[0]}, for ${ago(each.since)}, ${span(each.remaining)} left` +
          (each.revokeReason === undefined ? '' : `, revoked: ${harmless(each.revokeReason)}`),
      ]),
    ...(holders.length > 5 ? [`  and ${holders.length - 5} more`] : []),
    '',
  ];
  const room = Math.max(1, height - head.length - 3);
  const shown = queue.slice(0, room);
  return [
    ...head,
    ...(queue.length > 0 ? ['WAITING'] : []),
    ...shown.map((each, index) => `  ${index + 1}. ${person(each)}  ${each.kind}, for ${ago(each.since)}`),
    ...(queue.length > room ? [`  and ${queue.length - room} more`] : []),
  ];
}

function rounded(value: number): number {
  return value >= 10 ? Math.round(value) : Math.round(value * 10) / 10;
}

function rest(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stopped.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, ms));
    if (stopped.aborted) end();
    else stopped.addEventListener('abort', end);
  });
}
