import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { joined, SCRIPTS } from '../../lib/store/redis/run-script.js';
import { MOST_PAST } from '../../lib/store/latch-machine.js';
import { CLAIM_WINDOW, MOST_FORCED, SIGN_OF_LIFE, WHOLE } from '../../lib/store/lock-machine.js';
import { FRAGMENTS } from '../../lib/store/redis/scripts.gen.js';

const root = join(import.meta.dirname, '../..');
const { embedLua } = (await import(join(root, 'tools/embed-lua.mjs'))) as { embedLua(dir: string): string };

describe('the embedded scripts', () => {
  it('are the machine, what it leaves to a comparison, the latch and what asks for rights, and no more', () => {
    const machine = ['acquire', 'downgrade', 'inspect', 'note', 'release', 'renew', 'revoke', 'takeOver'];
    expect(Object.keys(SCRIPTS).sort()).toEqual([...machine, 'deleteIfEqual', 'latch', 'rights'].sort());
  });

  it('are up to date with scripts/*.lua (npm run lua)', () => {
    const home = join(root, 'lib/store/redis');
    expect(readFileSync(join(home, 'scripts.gen.ts'), 'utf8')).toBe(embedLua(join(home, 'scripts')));
  });

  it('use no command that the start-up probe does not try', () => {
    const { rights, ...others } = SCRIPTS;
    const used = Object.values(others).flatMap((code) =>
      [...code.matchAll(/\b(?:redis\.p?call|try|read)\('([A-Z]+)'/g)].map(([, command]) => command!),
    );
    expect(new Set(used).size).toBeGreaterThan(15);
    for (const command of used) expect(rights).toContain(`try('${command}'`);
  });

  it('hold each fragment in the place of its directive', () => {
    expect(Object.values(SCRIPTS).filter((code) => code.includes('@include'))).toEqual([]);
    for (const [file, code] of Object.entries(FRAGMENTS)) {
      const first = code.trimStart().split('\n')[0]!;
      expect([file, Object.values(SCRIPTS).some((script) => script.includes(first))]).toEqual([file, true]);
    }
  });

  it('know the numbers of the machines', () => {
    const record = readFileSync(join(root, 'lib/store/redis/scripts/record.lua'), 'utf8');
    const numbers = Object.fromEntries(
      [...record.matchAll(/^local ([A-Z_]+) = (\d+)/gm)].map(([, name, number]) => [name, Number(number)]),
    );
    expect(numbers).toMatchObject({ CLAIM_WINDOW, MOST_FORCED, MOST_PAST, SIGN_OF_LIFE, WHOLE });
  });

  it('read the compact form where record.lua says that things stand', () => {
    expect(SCRIPTS.release).toContain('sub(record, 7, 22)');
    for (const code of Object.values(SCRIPTS))
      expect(code).not.toMatch(/\b(CLAIM_WINDOW|WHOLE|AT_END|SPAN|FIRST|idleRecord|heldRecord|holdLine)\b/);
  });

  it('write the compact form in one place', () => {
    const files = readdirSync(join(root, 'lib/store/redis/scripts'), { recursive: true, encoding: 'utf8' });
    const writing = files
      .filter((file) => file.endsWith('.lua'))
      .flatMap((file) => {
        const text = readFileSync(join(root, 'lib/store/redis/scripts', file), 'utf8');
        return [...text.matchAll(/'lock1( - )?' \.\./g)].map(() => file);
      });
    expect(writing).toEqual(['record.lua', 'record.lua']); // nobody holds; one holds
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

    it('embed each part of a file, and nothing of what stands before them', () => {
      write(
        'time.lua',
        '-- times\nlocal AT = 7\n-- @part now\n-- the clock\nlocal t = AT\n-- @part then\nlocal u = t\n',
      );
      write('calls/a.lua', '-- @include time.lua#then\n');
      const fragments = "  'time.lua#now': `\nlocal t = 7\n`,\n  'time.lua#then': `\nlocal u = t\n`,\n";
      expect(embedLua(dir)).toContain(`FRAGMENTS = {\n${fragments}} as const`);
    });

    it('put numbers in the place of their names', () => {
      write('time.lua', 'local AT = 7 -- a time\nlocal AT_END = 22\n-- @part none\n');
      write('calls/a.lua', 'return sub(record, AT, AT_END), MORE\n');
      expect(embedLua(dir)).toContain('return sub(record, 7, 22), MORE\n');
    });

    describe('put a text in the place of its calls', () => {
      const TEXTS =
        "local function pair(a, b) return a .. ' a ' .. b end\n" +
        'local function triple(a, b, c)\n  return a .. b .. c\nend\n-- @part none\n';
      it.each([
        ['return pair(x, y)', "return x .. ' a ' .. y"],
        ["return pair(f(x, 1), ', (') .. z", "return f(x, 1) .. ' a ' .. ', (' .. z"],
        ['return pair(x and y or z, n - 1)', "return (x and y or z) .. ' a ' .. n - 1"],
        ['return pair(triple(1, 2,\n  3), pair(b, a))', "return 1 .. 2 .. 3 .. ' a ' .. b .. ' a ' .. a"],
        ['return repair(x)', 'return repair(x)'],
      ])('%s', (call, put) => {
        write('texts.lua', TEXTS);
        write('calls/a.lua', `${call}\n`);
        expect(embedLua(dir)).toContain(`  a: \`\n${put}\n\`,\n`);
      });

      it('and refuse other arguments than it takes', () => {
        write('texts.lua', TEXTS);
        write('calls/a.lua', 'return pair(x)\n');
        expect(() => embedLua(dir)).toThrow('pair takes (a, b)');
      });
    });

    it('refuse to include what is not there', () => {
      write('time.lua', '-- @part now\n');
      for (const missing of ['zone.lua', 'time.lua', 'time.lua#then']) {
        write('calls/a.lua', `-- @include ${missing}\n`);
        expect(() => embedLua(dir)).toThrow(`a.lua includes ${missing}`);
      }
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
