import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { importsOf } from './house.js';

const root = join(import.meta.dirname, '../..');
const specs = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.spec.ts') && !path.includes('node_modules'))
  .map((path) => `test/${path}`);

/** What a file imports of this repository, directly or not. */
function reachedFrom(file: string, seen = new Set<string>()): Set<string> {
  for (const { to } of importsOf(file, readFileSync(join(root, file), 'utf8')))
    if (!seen.has(to) && existsSync(join(root, to))) reachedFrom(to, seen.add(to));
  return seen;
}

describe('the tests', () => {
  it('stand by what they prove, see CONTRIBUTING.md', () => {
    const folders = 'consumers house nest proof redis sample tools topologies unit'.split(' ');
    expect(specs.filter((path) => !folders.includes(path.split('/')[1]!))).toEqual([]);
    const page = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
    for (const folder of folders) expect(page).toContain(`test/${folder}`);
  });

  it('of a unit stand in the folder that its code has in lib/', () => {
    const units = specs.filter((path) => path.startsWith('test/unit/'));
    expect(units.length).toBeGreaterThan(20);
    expect(
      units.filter((path) => !existsSync(join(root, dirname(path).replace('test/unit', 'lib')))),
    ).toEqual([]);
  });

  it('of a unit need no server', () => {
    const needing = specs
      .filter((path) => path.startsWith('test/unit/'))
      .filter((path) => reachedFrom(path).has('tools/redis/start-redis.ts'));
    expect(needing).toEqual([]);
  });
});
