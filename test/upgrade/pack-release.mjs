// Packs what ran before, for test:upgrade: node test/upgrade/pack-release.mjs <commit or tag>.
// Of the package as users get it only the ES modules, without declarations and source maps: a quarter of the size.
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const [commit] = process.argv.slice(2);

function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout.trim();
}

const directory = mkdtempSync(join(tmpdir(), 'lock-release-'));
try {
  const short = run('git', ['rev-parse', '--short=12', commit], root);
  const date = run('git', ['show', '-s', '--format=%cs', commit], root);
  const tree = join(directory, 'tree');
  mkdirSync(tree);
  run('git', ['archive', '--output', join(directory, 'tree.tar'), commit], root);
  run('tar', ['-xf', join(directory, 'tree.tar'), '-C', tree], root);
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  run('npm', ['run', 'build'], tree);
  for (const file of readdirSync(join(tree, 'dist/esm'), { recursive: true }))
    if (/\.d\.ts$|\.map$/.test(file)) rmSync(join(tree, 'dist/esm', file));
  const { name, version, type, exports, dependencies } = JSON.parse(
    readFileSync(join(tree, 'package.json'), 'utf8'),
  );
  mkdirSync(join(directory, 'package/dist'), { recursive: true });
  writeFileSync(
    join(directory, 'package/package.json'),
    JSON.stringify({ name, version, type, exports, dependencies }, null, 2),
  );
  run('cp', ['-r', join(tree, 'dist/esm'), join(directory, 'package/dist/esm')], root);
  const tarball = join(root, 'test/upgrade/released', `${date}-${short}.tgz`);
  mkdirSync(join(root, 'test/upgrade/released'), { recursive: true });
  // The same bytes for the same commit.
  const plain = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=${date}`];
  run('tar', [...plain, '--use-compress-program=gzip -9n', '-cf', tarball, '-C', directory, 'package'], root);
  console.log(tarball);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
