import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Corner {
  readonly name: string;
  readonly installation: string;
  readonly runtime: string;
  readonly format: string;
}
interface Corners {
  readonly INSTALLATIONS: Readonly<Record<string, { nest: string; ioredis: string }>>;
  readonly CORNERS: readonly Corner[];
  readonly IN_CI: readonly string[];
  readonly FORMATS: Readonly<Record<string, string>>;
  readonly STEPS: Readonly<Record<string, string>>;
  omitted(corner: Corner, step: string): string | undefined;
}

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { CORNERS, FORMATS, IN_CI, INSTALLATIONS, omitted, STEPS } = (await import(
  join(root, 'test/consumers/corners.mjs')
)) as Corners;
const page = read('docs/support.md');
const manifest = JSON.parse(read('package.json')) as {
  engines: { node: string };
  peerDependencies: Record<string, string>;
  scripts: Record<string, string>;
  exports: Record<string, string | Record<string, unknown>>;
};

/** The rows of the table that begins with `head`, as the texts of their cells. */
function rowsBelow(head: string): string[][] {
  const [, table = ''] = page.split(new RegExp(`^\\| ${head} .*\\n\\|.*\\n`, 'm'));
  return table
    .split('\n\n')[0]!
    .trim()
    .split('\n')
    .map((row) => row.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll('\\|', '|')));
}

/** What the table says of a corner: everything, or what is left out. */
function cellOf(corner: Corner | undefined): string {
  if (!corner) return '–';
  const steps = Object.keys(STEPS).filter((step) => step !== 'deep');
  const run = steps.filter((step) => omitted(corner, step) === undefined);
  if (run.length === steps.length) return 'all';
  const left = steps.filter((step) => !run.includes(step));
  return left.length <= 2 ? `all but ${left.join(', ')}` : run.join(', ');
}

describe('docs/support.md', () => {
  it('has a row for each Nest and runtime of the matrix, and says what is run there', () => {
    const wanted = new Map<string, string[]>();
    for (const { installation, runtime } of CORNERS)
      wanted.set(`${installation} ${runtime}`, [
        installation,
        runtime,
        ...Object.keys(FORMATS).map((format) =>
          cellOf(CORNERS.find((one) => one.name === `${installation}, ${runtime}, ${format}`)),
        ),
      ]);
    expect(rowsBelow('NestJS')).toEqual([...wanted.values()]);
  });

  it('explains each step, and gives each reason why one is left out', () => {
    expect(rowsBelow('step')).toEqual(Object.entries(STEPS));
    const reasons = new Set(
      CORNERS.flatMap((corner) => Object.keys(STEPS).map((step) => omitted(corner, step))),
    );
    reasons.delete(undefined);
    const prose = page.replaceAll(/\s+/g, ' ');
    expect([...reasons].filter((reason) => !prose.includes(reason!))).toEqual([]);
  });

  it('says what package.json allows', () => {
    const { engines, peerDependencies } = manifest;
    expect(page).toContain(`\`${engines.node}\``);
    for (const [name, range] of Object.entries(peerDependencies))
      if (!name.startsWith('@nestjs/')) expect(page).toContain(`| ${name}`);
      else expect(range).toBe('^11.0.0 || ^12.0.0');
    expect(rowsBelow('package').flatMap(([, range]) => range)).toEqual(
      expect.arrayContaining(Object.values(peerDependencies).map((range) => `\`${range}\``)),
    );
  });

  it('tells when the matrix was run last, and in how many corners it passed', () => {
    expect(page.replaceAll(/\s+/g, ' ')).toMatch(/On \d{4}-\d{2}-\d{2} [^.]* passed in \d+ of \d+ corners/);
    expect(page).toContain(`of ${CORNERS.length} corners`);
  });
});

describe('package.json', () => {
  it('gives Bun one file of each entry, which would load another one for require than for import', () => {
    const entries = Object.values(manifest.exports).filter((entry) => typeof entry === 'object');
    expect(entries.length).toBeGreaterThan(2);
    for (const entry of entries) {
      expect(entry['bun']).toEqual(entry['import']);
      expect(Object.keys(entry).indexOf('bun')).toBeLessThan(Object.keys(entry).indexOf('require'));
    }
  });
});

describe('the matrix', () => {
  it('begins with the lowest versions that package.json allows', () => {
    const { engines, peerDependencies } = manifest;
    const lowest = (range: string): string[] =>
      range.split('||').map((part) => {
        const [major = '', minor = '0', patch = '0'] = part.match(/[\d.]+/)![0].split('.');
        return [major, minor, patch].join('.');
      });
    expect(lowest(engines.node).map((version) => `Node ${version}`)).toEqual(
      CORNERS.filter(({ runtime }) => /\.\d+\.\d+$/.test(runtime)).map(({ runtime }) => runtime),
    );
    const exact = Object.values(INSTALLATIONS).filter(({ nest }) => /^\d/.test(nest));
    expect(exact.map(({ nest }) => nest)).toEqual(lowest(peerDependencies['@nestjs/common']!));
    expect(exact.map(({ ioredis }) => ioredis)).toEqual(lowest(peerDependencies['ioredis']!));
  });

  it('has no two corners of one name, and CI runs some of them', () => {
    const names = CORNERS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining([...IN_CI]));
  });

  it('is run as a whole by check:long, and in part by CI', () => {
    expect(manifest.scripts['check:long']).toContain('npm run test:consumers -- --whole');
    expect(read('.ci/run')).toMatch(/^gate consumers npm run test:consumers( #.*)?$/m);
  });
});
