// Packs once, and lets publint and attw judge what a user would install.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dir = mkdtempSync(join(tmpdir(), 'lock-package-'));
const npm = (...args) =>
  execFileSync('npm', args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
try {
  const packed = npm('pack', '--silent', '--pack-destination', dir);
  const tarball = join(dir, packed.trim().split('\n').at(-1));
  console.log(npm('exec', '--', 'publint', tarball, '--strict'));
  console.log(npm('exec', '--', 'attw', tarball));
} catch (error) {
  console.error(error.stdout ?? error);
  process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
