import { FewNames } from '../../../../lib/store/redis/few-names.js';

describe('few names', () => {
  it('are known until they are taken out, and a thousand at most', () => {
    const names = new FewNames();
    for (const name of ['a', 'b']) names.add(name);
    names.delete('b');
    expect(['a', 'b', 'c'].map((name) => names.has(name))).toEqual([true, false, false]);
    for (let at = 0; at < 1_000; at += 1) names.add(`name ${at}`);
    expect(names.has('a')).toBe(false);
    expect(names.has('name 999')).toBe(true);
  });
});
