import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { joined, SCRIPTS } from '../../lib/store/redis/lock-scripts.js';
import { MOST_PAST } from '../../lib/store/latch-machine.js';
import { CLAIM_WINDOW, MOST_FORCED, SIGN_OF_LIFE, WHOLE } from '../../lib/store/lock-state.js';
import { FRAGMENTS } from '../../lib/store/redis/scripts.gen.js';

const root = join(import.meta.dirname, '../..');
const { embedLua } = (await import(join(root, 'tools/embed-lua.mjs'))) as { embedLua(dir: string): string };

describe('the embedded scripts', () => {
  it('are the machine and the latch, and no more', () => {
    const machine = ['acquire', 'downgrade', 'inspect', 'release', 'renew', 'revoke'];
    expect(Object.keys(SCRIPTS).sort()).toEqual([...machine, 'latch'].sort());
  });

  it('are up to date with scripts/*.lua (npm run lua)', () => {
    const home = join(root, 'lib/store/redis');
    expect(readFileSync(join(home, 'scripts.gen.ts'), 'utf8')).toBe(embedLua(join(home, 'scripts')));
  });

  it('hold each fragment in the place of its directive', () => {
    expect(Object.values(SCRIPTS).filter((code) => code.includes('@include'))).toEqual([]);
    for (const [file, code] of Object.entries(FRAGMENTS)) {
      const first = code.trimStart().split('\n')[0]!;
      expect([file, Object.values(SCRIPTS).some((script) => script.includes(first))]).toEqual([file, true]);
    }
  });

  it('know the numbers of the machines', () => {
    const layout = readFileSync(join(root, 'lib/store/redis/scripts/layout.lua'), 'utf8');
    const numbers = Object.fromEntries(
      [...layout.matchAll(/^local ([A-Z_]+) = (\d+)/gm)].map(([, name, number]) => [name, Number(number)]),
    );
    expect(numbers).toMatchObject({ CLAIM_WINDOW, MOST_FORCED, MOST_PAST, SIGN_OF_LIFE, WHOLE });
  });

  it('read the compact form where layout.lua says that things stand', () => {
    expect(SCRIPTS.release).toContain('sub(record, 7, 22)');
    for (const code of Object.values(SCRIPTS))
      expect(code).not.toMatch(/\b(CLAIM_WINDOW|WHOLE|AT_END|SPAN|FIRST)\b/);
  });

  describe('of a directory', () => {
    let dir: string;
    const write = (file: string, text: string): void => writeFileSync(join(dir, file), text);

    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'embed-lua-'));
      mkdirSync(join(dir, 'calls'));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    it('keep the code, and drop comments and indentation', () => {
      write('calls/try-acquire.lua', "-- purpose\nlocal a = '--no'\n\n  return a\n");
      expect(embedLua(dir)).toContain("  tryAcquire: `\nlocal a = '--no'\nreturn a\n`,\n");
    });

    it('embed a fragment once, and name it where it is included', () => {
      write('time.lua', '-- the clock\nlocal t = 1\n');
      write('calls/a.lua', '-- @include time.lua\n  return t\n');
      write('calls/b.lua', 'if x then\n  -- @include time.lua\nend\n');
      const code = embedLua(dir);
      expect(code.split('local t = 1')).toHaveLength(2);
      expect(code).toContain("  'time.lua': `\nlocal t = 1\n`,\n");
      expect(code).toContain('  a: `\n-- @include time.lua\nreturn t\n`,\n');
      expect(code).toContain('  b: `\nif x then\n-- @include time.lua\nend\n`,\n');
    });

    it('put the numbers of layout.lua in the place of their names, and embed nothing else of it', () => {
      write('layout.lua', '-- where things stand\nlocal AT = 7 -- a time\nlocal AT_END = 22\n');
      write('calls/a.lua', 'return sub(record, AT, AT_END), MORE\n');
      expect(embedLua(dir)).toContain('FRAGMENTS = {\n} as const');
      expect(embedLua(dir)).toContain('return sub(record, 7, 22), MORE\n');
    });

    it('refuse to include what is not there', () => {
      write('calls/a.lua', '-- @include time.lua\n');
      expect(() => embedLua(dir)).toThrow('a.lua includes time.lua');
    });

    it('take includes at the place of the directive, those of fragments too', () => {
      const fragments = {
        'time.lua': '\n-- @include zone.lua\nlocal t = zone\n',
        'zone.lua': '\nlocal zone = 1\n',
      };
      const code = "\nlocal a = '--no'\n-- @include time.lua\nreturn t\n";
      expect(joined(code, fragments)).toBe("\nlocal a = '--no'\nlocal zone = 1\nlocal t = zone\nreturn t\n");
    });

    it('say the same in TypeScript as in Lua, whatever is escaped', () => {
      write('calls/a.lua', "return '\\n`${x}'\n");
      expect(embedLua(dir)).toContain("return '\\\\n\\`\\${x}'");
    });

    it('refuse text that spans lines, since lines are trimmed', () => {
      write('calls/a.lua', 'return [[\n  a\n]]\n');
      expect(() => embedLua(dir)).toThrow('a.lua');
    });
  });
});
