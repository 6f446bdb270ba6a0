// What has to be true of a tree and of its tarball before a release: see release.mjs.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const json = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));

export function git(root, ...args) {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${args.join(' ')} failed: ${stderr}`);
  return stdout.trim();
}

/** Why this tree must not be released, a sentence each; `tag` is the tag of which a release is made, if there is one. */
export function refusalsOf(root, tag) {
  const refusals = [];
  const { name, version, ...manifest } = json(root, 'package.json');

  const changed = git(root, 'status', '--porcelain');
  if (changed !== '') refusals.push(`The tree is dirty: commit or remove\n${changed}`);

  if (tag !== undefined && tag !== `v${version}`)
    refusals.push(`The tag is ${tag}, and package.json says version ${version}.`);
  const tagged = git(root, 'tag', '--list', `v${version}`);
  if (tagged !== '' && git(root, 'rev-list', '-n', '1', `v${version}`) !== git(root, 'rev-parse', 'HEAD'))
    refusals.push(`v${version} is the tag of another commit: raise the version.`);

  const lock = json(root, 'package-lock.json');
  for (const found of [lock.version, lock.packages[''].version])
    if (found !== version)
      refusals.push(`package-lock.json says version ${found}, and package.json ${version}: run npm install.`);

  for (const field of ['description', 'license', 'repository', 'homepage', 'bugs', 'files', 'engines'])
    if (manifest[field] === undefined) refusals.push(`package.json has no '${field}'.`);

  if (!readFileSync(join(root, 'CHANGELOG.md'), 'utf8').includes(`\n## [${version}] - `))
    refusals.push(`CHANGELOG.md has no heading '## [${version}] - <date>'.`);

  for (const example of readdirSync(join(root, 'examples'), { withFileTypes: true })) {
    if (!example.isDirectory()) continue;
    const asked = json(root, 'examples', example.name, 'package.json').dependencies[name];
    if (asked !== `^${version}`)
      refusals.push(`examples/${example.name}/package.json asks for ${asked} of ${name}: write ^${version}.`);
  }
  return refusals;
}

/** Files that have to be in the tarball, and are not; and files that must not be in it, and are. */
export function faultsOf(files, manifest) {
  const entries = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(entries));
  const wanted = [
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'SECURITY.md',
    'docs/guarantees.md',
  ];
  const needed = [...wanted, ...entries(manifest.exports), ...Object.values(manifest.bin)];
  const inside = new Set(files);
  return [
    ...[...new Set(needed.map((path) => path.replace(/^\.\//, '')))]
      .filter((path) => !inside.has(path))
      .map((path) => `${path} is missing`),
    ...files
      .filter(
        (path) =>
          !/^(dist|lib|docs|skills)\/|^[A-Z]+(\.zh-CN)?(\.md)?$|^(package\.json|llms\.txt)$/.test(path),
      )
      .map((path) => `${path} is in it`),
  ];
}
