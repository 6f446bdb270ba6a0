import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCRIPTS } from '../lib/store/redis/scripts.gen.js';

const root = join(import.meta.dirname, '..');
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

  describe('of a directory', () => {
    let dir: string;
    const write = (file: string, text: string): void => writeFileSync(join(dir, file), text);

    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'embed-lua-'));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    it('keep the code, drop comments and indentation, and take includes at the place of the directive', () => {
      write('_time.lua', '-- the clock\nlocal t = 1\n');
      write('try-acquire.lua', "-- purpose\nlocal a = '--no'\n-- @include _time.lua\n\n  return t\n");
      expect(embedLua(dir)).toContain("  tryAcquire: `\nlocal a = '--no'\nlocal t = 1\nreturn t\n`,\n");
    });

    it('say the same in TypeScript as in Lua, whatever is escaped', () => {
      write('a.lua', "return '\\n`${x}'\n");
      expect(embedLua(dir)).toContain("return '\\\\n\\`\\${x}'");
    });

    it('refuse text that spans lines, since lines are trimmed', () => {
      write('a.lua', 'return [[\n  a\n]]\n');
      expect(() => embedLua(dir)).toThrow('a.lua');
    });
  });
});
