import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOURCE = join(process.cwd(), 'test/proof/faults/harness/clock-shift.c');

/** A wall clock that can be moved under the processes that are started with its environment. */
export class WallClock {
  readonly env: Record<string, string>;
  private readonly directory = mkdtempSync(join(tmpdir(), 'lock-clock-'));
  private readonly file: number;

  constructor() {
    const [library, path] = [join(this.directory, 'clock-shift.so'), join(this.directory, 'shift')];
    try {
      execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE], { stdio: 'pipe' });
    } catch (error) {
      throw new Error(
        `The wall clock cannot be moved without a C compiler (apt install gcc): ${String(error)}`,
      );
    }
    this.file = openSync(path, 'w');
    this.shift(0);
    this.env = { LD_PRELOAD: library, CLOCK_SHIFT_FILE: path };
  }

  /** So many milliseconds away from the true time, at once. */
  shift(ms: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(ms)) * 1_000n);
    writeSync(this.file, bytes, 0, 8, 0);
  }

  close(): void {
    closeSync(this.file);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
