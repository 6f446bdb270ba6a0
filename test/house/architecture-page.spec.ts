import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
const lib = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.gen.ts'))
  .map((file) => readFileSync(join(root, 'lib', file), 'utf8'));

const quoted = [...page.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
/** The source of what declares `name`. */
const sourceOf = (name: string): string | undefined =>
  lib.find((text) =>
    new RegExp(`^(export )?(async )?(abstract )?(class|interface|type|function|const) ${name}\\b`, 'm').test(
      text,
    ),
  );

describe('docs/architecture.md', () => {
  it('names files and folders that are there', () => {
    const paths = quoted.filter((text) => /^(lib|test|store|line|locks|nest|base)\/[\w./-]*$/.test(text));
    const missing = paths.filter(
      (path) => !existsSync(join(root, path)) && !existsSync(join(root, 'lib', path)),
    );
    expect(paths.length).toBeGreaterThan(20);
    expect(missing).toEqual([]);
  });

  it('names classes, functions and members that are there', () => {
    const members = quoted.filter((text) => /^[A-Z]\w+\.\w+$/.test(text));
    const missing = members.filter((text) => {
      const [owner = '', member = ''] = text.split('.');
      return !new RegExp(`\\b${member}\\b\\s*(\\(|<|=|:)`).test(sourceOf(owner) ?? '');
    });
    expect(members.length).toBeGreaterThan(15);
    expect(missing).toEqual([]);
    const names = quoted.filter((text) => /^([A-Z][a-z]+\w*|settleAtOther|lockedCall)$/.test(text));
    expect(names.filter((name) => sourceOf(name) === undefined)).toEqual([]);
  });
});
