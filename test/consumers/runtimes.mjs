// What runs the applications of the matrix: versions of Node, Bun and Deno from the npm registry.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NODE = `node-${process.platform}-${process.arch}`;

/** The packages that bring a runtime, their place, and whether they have to run a script when they are installed. */
const SOURCES = {
  Node: (version) => ({ alias: `npm:${NODE}@${version}`, program: 'bin/node', scripts: false }),
  Bun: (version) => ({ alias: `npm:bun@${version}`, program: 'bin/bun.exe', scripts: true }),
  Deno: (version) => ({ alias: `npm:deno@${version}`, program: 'bin.cjs', scripts: true }),
};

/** How an application is begun by each. */
const ARGUMENTS = { Node: [], Bun: [], Deno: ['run', '--allow-all', '--quiet'] };

/**
 * Installs a runtime such as `Node 22` under `dir`, unless it is the one that runs this program: `command` begins a
 * program of a user, and `version` is what the runtime says of itself. Rejects when it cannot be had.
 */
export function installRuntime(dir, runtime) {
  const [kind, version] = runtime.split(' ');
  const own = process.versions.node;
  if (kind === 'Node' && !process.versions.bun && (own === version || own.startsWith(`${version}.`)))
    return { command: [process.execPath], version: own, starts: 1 };
  const { alias, program, scripts } = SOURCES[kind](version);
  const home = join(dir, runtime.replaceAll(/\W/g, '-').toLowerCase());
  if (!existsSync(home)) {
    mkdirSync(home);
    writeFileSync(
      join(home, 'package.json'),
      JSON.stringify({ private: true, dependencies: { runtime: alias } }),
    );
    const args = ['install', '--no-audit', '--no-fund', '--loglevel=error'];
    if (!scripts) args.push('--ignore-scripts');
    const { status, stdout, stderr } = spawnSync('npm', args, {
      cwd: home,
      encoding: 'utf8',
      timeout: 300_000,
    });
    if (status !== 0) throw new Error(`${runtime} cannot be installed here: ${(stderr || stdout).trim()}`);
  }
  const path = join(home, 'node_modules/runtime', program);
  const start = program.endsWith('.cjs') ? [process.execPath, path] : [path];
  const asked = spawnSync(start[0], [...start.slice(1), '--version'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (asked.status !== 0)
    throw new Error(`${runtime} does not run here: ${asked.error?.message ?? asked.stderr.trim()}`);
  return {
    command: [...start, ...ARGUMENTS[kind]],
    version: asked.stdout.match(/[\d.]+\d/)[0],
    // Deno 2.9 at times hangs while it loads CommonJS packages that it has not seen before, see docs/support.md.
    starts: kind === 'Deno' ? 3 : 1,
  };
}
