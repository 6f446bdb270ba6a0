import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoUnderTest } from './demo-under-test.js';

/**
 * Clones the last commit and carries out what the README says; resolves with the seconds that the install took, and then
 * those until a sale was running on the page.
 */
export async function followFreshClone(repository: string): Promise<{ install: number; picture: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'lock-clone-'));
  const clone = join(folder, 'clone');
  const env = { ...process.env, NODE_OPTIONS: '', REDIS_URL: '', DATABASE_URL: '' };
  const since = (began: number): number => (performance.now() - began) / 1_000;
  try {
    execFileSync('git', ['clone', '--quiet', repository, clone], { stdio: 'pipe' });
    const began = performance.now();
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], {
      cwd: clone,
      env,
      stdio: 'pipe',
    });
    const install = since(began);

    const installed = performance.now();
    const demo = await DemoUnderTest.run('npm', ['run', 'demo', '--', '--page'], { cwd: clone, env });
    try {
      await demo.listen();
      await demo.until('a sale runs', ({ halves }) => halves.unlocked.sold > 0);
      return { install, picture: since(installed) };
    } finally {
      await demo.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
