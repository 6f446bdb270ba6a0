import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { leastRights } from '../../../../lib/locks/create-lock-service.js';

const root = join(import.meta.dirname, '../../../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the least rights', () => {
  it('are those of the documentation', () => {
    const [, documented] = /^```acl\n([^`]*)^```/m.exec(read('docs/operating.md')) ?? [];
    expect(`${leastRights({ redis: 'redis://localhost' })}\n`).toBe(documented);
  });

  it('are for the namespace, the prefix of keys, the database and the kind of servers', () => {
    const rule = leastRights({ redis: { keyPrefix: 'a*b:', db: 3 }, namespace: 'shop' });
    expect(rule).toContain('resetkeys ~a\\*b:shop:*\n');
    expect(rule).toContain('resetchannels &shop:session:*\n');
    expect(rule).toMatch(/\+select$/);
    expect(leastRights({ redis: 'redis://localhost/3' })).toMatch(/\+select$/);
    const cluster = { cluster: [{ host: 'h' }], options: { redisOptions: { keyPrefix: 'app:' } } };
    expect(leastRights({ redis: cluster })).toMatch(/~app:lock:\*[^]*\+cluster\|slots \+restore \+asking$/);
  });

  it('have what is done without scripts, where that is done', () => {
    const FOR_NATIVE = /\+multi \+exec \+client\|id \+client\|kill$/;
    const redis = 'redis://localhost';
    expect(leastRights({ redis, fenceMemory: 0 })).toMatch(FOR_NATIVE);
    expect(leastRights({ redis: { cluster: [{ host: 'h' }] }, fenceMemory: 0 })).toMatch(FOR_NATIVE);
    expect(leastRights({ redis })).not.toMatch(FOR_NATIVE);
    expect(leastRights({ redis, fenceMemory: 0, clientTracking: true })).not.toMatch(FOR_NATIVE);
    expect(leastRights({ redis, fenceMemory: 0, durability: { replicas: 1 } })).not.toMatch(FOR_NATIVE);
  });

  it('have what waits for replicas, where grants have to be acknowledged', () => {
    const redis = 'redis://localhost';
    expect(leastRights({ redis, durability: { replicas: 1 } })).toMatch(/\+wait$/);
    expect(leastRights({ redis })).not.toContain('+wait');
  });

  it('have every command that the scripts call', () => {
    const scripts = read('lib/store/redis/scripts.gen.ts').matchAll(/redis\.p?call\('([A-Z]+)'/g);
    const called = [...new Set([...scripts].map(([, name = '']) => name.toLowerCase()))];
    expect(called.length).toBeGreaterThan(10);
    const allowed: readonly string[] =
      leastRights({ redis: { cluster: [{ host: 'h' }] } }).match(/\+\w+/g) ?? [];
    expect(called.filter((name) => !allowed.includes(`+${name}`))).toEqual([]);
  });

  it.each([[undefined], [''], ['memory']])('are none in memory (%s)', (redis) => {
    expect(() => leastRights({ redis })).toThrow('Locks in memory need no rights');
  });

  it('show no password, and connect to nothing', () => {
    expect(leastRights({ redis: 'redis://user:sesame@127.0.0.1:1' })).not.toContain('sesame');
  });
});
