import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** A process of its own that runs a TypeScript file and talks by lines. */
export class Child {
  private text = '';
  private readonly process: ChildProcess;
  readonly exited: Promise<number | string | null>;

  constructor(script: string, ...args: string[]) {
    this.process = spawn(process.execPath, ['--import', './test/support/typescript.mjs', script, ...args], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', (bytes) => (this.text += String(bytes)));
    this.exited = once(this.process, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  }

  /** With what it ended; undefined when it has not after `ms`. */
  async endsWithin(ms: number): Promise<number | string | null | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
    try {
      return await Promise.race([this.exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Everything it wrote so far, errors included. */
  get said(): string {
    return this.text;
  }

  /** Resolves when it has written `word`; rejects when it ends before. */
  async says(word: string): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const look = (): void => void (this.text.includes(word) && resolve());
      this.process.stdout?.on('data', look);
      look();
    });
    const ended = this.exited.then(() => {
      if (!this.text.includes(word)) throw new Error(`It ended without saying '${word}': ${this.text}`);
    });
    await Promise.race([heard, ended]);
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  end(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.exited;
  }
}
