// A release, from a clean tree: npm run release -- [--dry-run] [--checked]
// Checks, builds, packs, follows the README with the tarball in empty projects of Nest 11 and 12, and publishes that tarball.
// --dry-run does all of it but the last step; --checked leaves out the checks that .ci/run has made of this commit.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openRedis, pack } from '../test/consumers/installation.mjs';
import { checkQuickStart } from '../test/consumers/quick-start.mjs';
import { faultsOf, git, json, refusalsOf } from './release-rules.mjs';

function run(root, command, ...args) {
  console.log(`\n== ${[command, ...args].join(' ')}`);
  const { status, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} ended with ${status ?? signal}`);
}

async function release(root, { dryRun, checked, tag }) {
  const refusals = refusalsOf(root, tag);
  if (refusals.length > 0) throw new Error(`This is not released:\n- ${refusals.join('\n- ')}`);
  const { version, ...manifest } = json(root, 'package.json');

  if (!checked) run(root, 'npm', 'run', 'check');
  run(root, 'npm', 'run', 'lint:package');
  const out = join(root, '.tmp/release');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const tarball = pack(out);
  const listed = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).stdout.trim().split('\n');
  const files = listed.map((path) => path.replace(/^package\//, ''));
  const faults = faultsOf(files, manifest);
  if (faults.length > 0) throw new Error(`The tarball is wrong:\n- ${faults.join('\n- ')}`);
  console.log(`\n== ${tarball}: ${files.length} files`);

  const dir = mkdtempSync(join(tmpdir(), 'lock-release-'));
  const redis = await openRedis(dir);
  try {
    if (!redis) throw new Error('No Redis: set REDIS_URL, or put redis-server on the PATH.');
    for (const major of [11, 12]) {
      const times = await checkQuickStart({ major, dir, tarball, redis: redis.url });
      console.log(`== the README works in an empty project of Nest ${major}: ${times}`);
    }
  } finally {
    await redis?.close();
    rmSync(dir, { recursive: true, force: true });
  }

  const changed = git(root, 'status', '--porcelain');
  if (changed !== '') throw new Error(`The checks have changed the tree:\n${changed}`);
  const channel = version.includes('-') ? 'next' : 'latest';
  const publish = ['publish', tarball, '--access', 'public', '--tag', channel, '--provenance'];
  if (dryRun) console.log(`\nA dry run ends here. A release goes on with: npm ${publish.join(' ')}`);
  else run(root, 'npm', ...publish);
}

const known = ['--dry-run', '--checked'];
const args = process.argv.slice(2);
try {
  const unknown = args.filter((arg) => !known.includes(arg));
  if (unknown.length > 0) throw new Error(`Unknown: ${unknown.join(' ')}. There are ${known.join(' and ')}.`);
  await release(fileURLToPath(new URL('..', import.meta.url)), {
    dryRun: args.includes('--dry-run'),
    checked: args.includes('--checked'),
    tag: process.env.RELEASE_TAG || undefined,
  });
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
