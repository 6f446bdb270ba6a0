import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCosts } from '../../bench/scaling/costs.js';
import { simulate, type Workload } from '../../bench/scaling/simulation.js';
import { tables } from '../../bench/scaling/tables.js';

const root = join(import.meta.dirname, '../..');
const costs = readCosts(root);
const workload = { processes: 100, names: 10_000, requests: 2_000, hold: 20, popularity: 'even' } as const;

describe('docs/scaling.md', () => {
  const page = readFileSync(join(root, 'docs/scaling.md'), 'utf8');
  const words = (text: string): string => text.replace(/\s+/g, ' ').replace(/-+/g, '-').trim();

  it.each(Object.entries(tables(costs)))('has what `npm run scaling` prints: %s', (name, text) => {
    const [, found = ''] =
      new RegExp(`<!-- scaling:${name} -->([^]*?)<!-- /scaling:${name} -->`).exec(page) ?? [];
    expect(words(found)).toBe(words(text));
  });
});

describe('the simulation of locks on several masters', () => {
  const run = (change: Partial<Workload> = {}, masters = 1) =>
    simulate({ ...workload, ...change }, masters, costs);

  it('makes a server busy by what the requests cost it', () => {
    const { busiest, handOffs } = run({ names: 1_000_000, requests: 1_000 });
    expect(handOffs).toBeLessThan(10);
    expect(busiest).toBeGreaterThan(0.95 * 1e-3 * costs.one.free.server);
    expect(busiest).toBeLessThan(1.05 * 1e-3 * costs.one.free.server);
  });

  it('spreads free names over masters', () => {
    const names = { names: 1_000_000, requests: 1_000 };
    const [three, twelve] = [run(names, 3), run(names, 12)];
    expect(twelve.average / three.average).toBeCloseTo(0.25, 1);
    expect(twelve.busiest).toBeGreaterThanOrEqual(twelve.average);
  });

  it('hands a name on inside the process where it can, without a server', () => {
    const hot = { names: 10, requests: 1_000, hold: 5 };
    const [one, many] = [run({ ...hot, processes: 1 }), run({ ...hot, processes: 1_000 })];
    expect(one.handOffs).toBe(0);
    expect(one.inside).toBeGreaterThan(100);
    expect(many.handOffs).toBeGreaterThan(100);
    expect(many.inside).toBeLessThan(many.handOffs);
  });

  it('leaves requests for a name that is wanted more often than it can be held', () => {
    expect(run({ names: 1, requests: 100 }).left).toBeGreaterThan(0.3);
    expect(run({ names: 1_000, requests: 100 }).left).toBeLessThan(0.01);
  });

  it('makes every node of a cluster pay for every hand-off', () => {
    const hot = { names: 1, processes: 1_000, requests: 100, hold: 5 };
    const { busiest, average } = run(hot, 3);
    expect(average).toBeGreaterThan(busiest / 3); // the two others heard of them
  });

  it('is the same each time', () => {
    expect(run()).toEqual(run());
  });
});
