import type { Hold } from '../../../lib/line/hold.js';
import { Leases } from '../../../lib/line/leases.js';
import type { LineLease } from '../../../lib/line/line-lease.js';

const leaseOn = (hold: Hold): LineLease => ({ hold }) as LineLease;
const holdWith = (id: string): Hold => ({ id }) as Hold;

describe('the leases of one name', () => {
  const [a, b, c] = [holdWith('a'), holdWith('b'), holdWith('c')];
  let leases: Leases;
  beforeEach(() => (leases = new Leases()));

  it('has each hold once, and the last lease of it in the place of the one before', () => {
    const [first, second, third, later] = [leaseOn(a), leaseOn(b), leaseOn(c), leaseOn(b)];
    for (const lease of [first, second, third, later]) leases.set(lease);
    expect(leases.all).toEqual([first, later, third]);
    expect(leases.get(b)).toBe(later);
    expect(leases.withId('c')).toBe(c);
  });

  it.each([
    ['first', a, ['b', 'c']],
    ['middle', b, ['a', 'c']],
    ['last', c, ['a', 'b']],
    ['unknown', holdWith('d'), ['a', 'b', 'c']],
  ])('loses the %s of them, and no other', (_place, gone, left) => {
    for (const hold of [a, b, c]) leases.set(leaseOn(hold));
    leases.delete(gone);
    expect(leases.all.map(({ hold }) => hold.id)).toEqual(left);
    expect(leases.get(gone)).toBeUndefined();
    expect(leases.none).toBe(false);
  });

  it('is empty again without the last one, and takes the next', () => {
    leases.set(leaseOn(a));
    leases.delete(a);
    expect(leases.none).toBe(true);
    leases.set(leaseOn(b));
    expect(leases.all.map(({ hold }) => hold.id)).toEqual(['b']);
  });

  it('keeps nothing by a lease that is over: whoever has it would keep all later ones of the name', () => {
    const [over, next] = [leaseOn(a), leaseOn(b)];
    leases.set(over);
    leases.set(next);
    leases.delete(a);
    expect(over.next).toBeUndefined();
    const replaced = next;
    leases.set(leaseOn(c));
    leases.set(leaseOn(b));
    expect(replaced.next).toBeUndefined();
  });
});
