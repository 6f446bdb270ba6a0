import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { transformSync } from '@swc/core';

const ROOT = join(import.meta.dirname, '../..');
const NAME = 'nestjs-distributed-lock';
const PARTS = ['base', 'store', 'line', 'locks', 'cli', 'plain.ts'];

/** What a command printed, and its exit code. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * The command as it is installed: in a directory where npx finds it, with what the package needs at run time and without
 * Nest.
 */
export class BuiltCommand {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'lock-command-')));
  readonly main = join(this.dir, 'node_modules', NAME, 'dist/esm/cli/main.js');
  private readonly running = new Set<ChildProcess>();

  constructor() {
    const home = join(this.dir, 'node_modules', NAME);
    const files = PARTS.flatMap((part) =>
      part.endsWith('.ts')
        ? [part]
        : readdirSync(join(ROOT, 'lib', part), { recursive: true, encoding: 'utf8' }).map((path) =>
            join(part, path),
          ),
    ).filter((path) => path.endsWith('.ts'));
    for (const file of files) {
      const { code } = transformSync(readFileSync(join(ROOT, 'lib', file), 'utf8'), {
        swcrc: false,
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
      });
      const to = join(home, 'dist/esm', file.replace(/ts$/, 'js'));
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, code);
    }
    const { name, version, type, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name, version, type, bin }));
    writeFileSync(join(this.dir, 'package.json'), JSON.stringify({ private: true, name: 'application' }));
    mkdirSync(join(this.dir, 'node_modules/.bin'));
    chmodSync(this.main, 0o755);
    symlinkSync(this.main, join(this.dir, 'node_modules/.bin', NAME));
    for (const needed of ['ioredis', 'uuid'])
      symlinkSync(join(ROOT, 'node_modules', needed), join(this.dir, 'node_modules', needed));
  }

  /** Runs the command to its end. */
  run(args: readonly string[], env: Record<string, string> = {}, input?: string): Promise<Ended> {
    return this.execute(process.execPath, [this.main, ...args], env, input);
  }

  /** Runs lines of a shell to their end, where the package is installed. */
  shell(lines: string, env: Record<string, string> = {}): Promise<Ended> {
    return this.execute('sh', ['-ec', lines], env);
  }

  /** Begins a command that goes on until it is stopped. */
  start(
    args: readonly string[],
    env: Record<string, string> = {},
  ): { out: () => string; child: ChildProcess; ended: Promise<Ended> } {
    const child = this.spawn(process.execPath, [this.main, ...args], env);
    let [out, err] = ['', ''];
    child.stdout?.on('data', (bytes) => (out += String(bytes)));
    child.stderr?.on('data', (bytes) => (err += String(bytes)));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
    return { out: () => out, child, ended };
  }

  /** Ends what runs yet, and removes what was installed. */
  remove(): void {
    for (const child of this.running) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  private async execute(
    file: string,
    args: readonly string[],
    env: Record<string, string>,
    input?: string,
  ): Promise<Ended> {
    const child = this.spawn(file, args, env);
    let [out, err] = ['', ''];
    child.stdout?.on('data', (bytes) => (out += String(bytes)));
    child.stderr?.on('data', (bytes) => (err += String(bytes)));
    child.stdin?.end(input ?? '');
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out, err };
  }

  private spawn(file: string, args: readonly string[], env: Record<string, string>): ChildProcess {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(file, args, {
      cwd: this.dir,
      env: { PATH, HOME, npm_config_offline: 'true', ...env },
    });
    this.running.add(child);
    child.once('close', () => this.running.delete(child));
    return child;
  }
}
