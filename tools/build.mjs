// Builds lib/ twice: dist/esm for `module-sync` and `import`, dist/cjs for `require` (a Nest 11 user's jest needs it).
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const tsc = (...options) =>
  new Promise((resolve) => {
    const args = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.lib.json', ...options];
    spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }).on('exit', (code) => resolve(code === 0));
  });

rmSync(`${root}dist`, { recursive: true, force: true });
mkdirSync(`${root}dist/cjs`, { recursive: true });
// The nearest package.json decides how Node and TypeScript read a .js and its .d.ts.
writeFileSync(`${root}dist/cjs/package.json`, '{ "type": "commonjs" }\n');

const built = await Promise.all([
  tsc('--outDir', 'dist/esm'),
  tsc('--outDir', 'dist/cjs', '--module', 'commonjs', '--moduleResolution', 'bundler'),
]);
for (const kind of ['esm', 'cjs']) chmodSync(`${root}dist/${kind}/cli/main.js`, 0o755);
process.exitCode = built.every(Boolean) ? 0 : 1;
