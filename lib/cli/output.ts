import type { WriteStream } from 'node:tty';
import { CommandError, EXIT } from './command-error.js';

/** What the command reads and writes: the process, or less of it. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
}

const CLEAR_LINE = '\r\x1b[K';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const PROGRESS_EVERY = 200;

/** Writes lines; whoever reads slowly slows the command down, so that nothing piles up. */
export class Output {
  private progress: { begun: number; saidAt: number; count: number; shown: boolean } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private cursorHidden = false;
  private failure: CommandError | undefined;
  private unwanted = false;
  private goOn: (() => void) | undefined;

  constructor(private readonly streams: Streams) {
    streams.stdout.on('error', this.failed);
    streams.stderr.on('error', () => undefined); // there is nobody left to tell
    process.once('exit', () => {
      this.endProgress();
      this.showCursor();
    });
  }

  /** Whether whoever read it is gone, as after `| head`: the rest is not wanted. */
  get gone(): boolean {
    return this.unwanted;
  }

  /** Whether people read it. */
  get onTerminal(): boolean {
    return this.streams.stdout.isTTY === true;
  }

  get width(): number {
    return (this.streams.stdout as Partial<WriteStream>).columns || 80;
  }

  get height(): number {
    return (this.streams.stdout as Partial<WriteStream>).rows || 24;
  }

  async line(text: string): Promise<void> {
    await this.write(`${text}\n`);
  }

  /** @throws CommandError when nothing can be written there; nothing happens when whoever read it is gone */
  async write(text: string): Promise<void> {
    if (this.failure) throw this.failure;
    if (this.gone) return;
    if (this.onTerminal) this.clearProgress(); // elsewhere it goes on beside the result
    const { stdout } = this.streams;
    if (stdout.write(text)) return;
    await new Promise<void>((resolve) => {
      this.goOn = resolve;
      stdout.once('drain', resolve);
    });
  }

  /** Resolves when all of the result has left the process. @throws CommandError when it cannot be written */
  async flush(): Promise<void> {
    await left(this.streams.stdout);
    if (this.failure) throw this.failure;
  }

  /** Resolves when all notes have left the process. */
  async flushNotes(): Promise<void> {
    await left(this.streams.stderr);
  }

  private readonly failed = (error: NodeJS.ErrnoException): void => {
    this.unwanted = true;
    if (error.code !== 'EPIPE')
      this.failure ??= new CommandError(
        `The result cannot be written (${error.code ?? error.name}).`,
        EXIT.unexpected,
      );
    this.goOn?.();
  };

  /** Hides the cursor of the terminal, until `showCursor` or the end of the process. */
  hideCursor(): void {
    this.cursorHidden = true;
    this.streams.stdout.write(HIDE_CURSOR);
  }

  showCursor(): void {
    if (!this.cursorHidden) return;
    this.cursorHidden = false;
    this.streams.stdout.write(SHOW_CURSOR);
  }

  /** A line for people beside the result. */
  note(text: string): void {
    this.clearProgress();
    this.streams.stderr.write(`${text}\n`);
  }

  /** Shows on a terminal, until `endProgress`, how long it has taken and how many were found. */
  beginProgress(): void {
    if (this.streams.stderr.isTTY !== true) return;
    this.progress = { begun: Date.now(), saidAt: 0, count: 0, shown: false };
    this.timer = setInterval(() => this.showProgress(), PROGRESS_EVERY);
  }

  /** One more was found. */
  count(): void {
    const { progress } = this;
    if (!progress) return;
    progress.count += 1;
    if (progress.count % 100 === 0) this.showProgress(); // the timer has no turn while pages come in
  }

  endProgress(): void {
    clearInterval(this.timer);
    this.clearProgress();
    this.progress = undefined;
  }

  private showProgress(): void {
    const { progress } = this;
    const now = Date.now();
    if (!progress || now - progress.saidAt < PROGRESS_EVERY) return;
    progress.saidAt = now;
    progress.shown = true;
    const seconds = ((now - progress.begun) / 1_000).toFixed(1);
    this.streams.stderr.write(`${CLEAR_LINE}${progress.count} names in ${seconds} s …`);
  }

  private clearProgress(): void {
    if (!this.progress?.shown) return;
    this.progress.shown = false;
    this.streams.stderr.write(CLEAR_LINE);
  }
}

/** Resolves when all that was written there has left the process, or has failed and its error was told. */
async function left(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<unknown>((done) => stream.write('', done));
  await new Promise((told) => setImmediate(told));
}

/** A text that does nothing to a terminal: names and labels are whatever their owners gave. */
export function harmless(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** A span in two units at most: `850 ms`, `12.3 s`, `3 min 12 s`, `2 h 05 min`, `4 d 03 h`. */
export function span(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1_000) return `${whole} ms`;
  if (whole < 60_000) return `${(whole / 1_000).toFixed(1)} s`;
  const seconds = Math.floor(whole / 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1_440)} d ${two(Math.floor(minutes / 60) % 24)} h`;
}
