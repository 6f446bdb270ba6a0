import { ClusterRecipe } from '../../../../lib/store/redis/cluster-recipe.js';
import { priceOfNodes } from '../../../../lib/store/redis/redis-cluster.js';
import { isUnsettled, redirectionIn, viewIn } from '../../../../lib/store/redis/cluster-view.js';

describe('what a node says about the cluster', () => {
  const recipe = new ClusterRecipe({
    cluster: [7000],
    options: { natMap: { '10.0.0.2:6379': { host: 'outside', port: 7002 } } },
  });
  const asked = { host: '10.0.0.9', port: 6379 };

  it('names the master of each slot, and all nodes, where they can be reached', () => {
    const view = viewIn(
      [
        [0, 8_191, ['10.0.0.1', 6379, 'id1', []], ['10.0.0.3', 6379, 'id3', []]],
        [8_192, 16_382, ['10.0.0.2', 6379, 'id2', []]],
        [16_383, 16_383, [null, 6379, 'id9']],
      ],
      asked,
      recipe,
    );
    expect(view.masterOf[0]).toEqual({ host: '10.0.0.1', port: 6379 });
    expect(view.masterOf[8_191]).toEqual({ host: '10.0.0.1', port: 6379 });
    expect(view.masterOf[8_192]).toEqual({ host: 'outside', port: 7002 });
    expect(view.masterOf[16_383]).toEqual(asked); // it does not know its own address
    expect([...view.masters.keys()]).toEqual(['10.0.0.1:6379', 'outside:7002', '10.0.0.9:6379']);
    expect([...view.nodes.keys()].sort()).toEqual([
      '10.0.0.1:6379',
      '10.0.0.3:6379',
      '10.0.0.9:6379',
      'outside:7002',
    ]);
  });

  it('names the address of a node that has no name in a cluster that prefers names', () => {
    const view = viewIn(
      [
        [0, 8_191, ['localhost', 6379, 'id1', ['ip', '10.0.0.1']]],
        [8_192, 16_382, ['?', 6379, 'id2', ['ip', '10.0.0.2']], ['?', 6380, 'id3', { ip: '10.0.0.3' }]],
        [16_383, 16_383, ['?', 6379, 'id9', []]],
      ],
      asked,
      recipe,
    );
    expect([...view.nodes.keys()]).toEqual(['localhost:6379', 'outside:7002', '10.0.0.3:6380']);
    expect(view.masterOf[8_192]).toEqual({ host: 'outside', port: 7002 });
    expect(view.masterOf[16_383]).toBeUndefined();
    expect(isUnsettled(new Error('MOVED 8192 ?:6379'))).toBe(true);
    expect(isUnsettled(new Error('MOVED 8192 a:6379'))).toBe(false);
  });

  it.each([
    ['MOVED 3999 10.0.0.1:6381', { once: false, slot: 3999, place: { host: '10.0.0.1', port: 6381 } }],
    ['MOVED 3999 :6381', { once: false, slot: 3999, place: { host: '10.0.0.9', port: 6381 } }],
    ['MOVED 1 2001:db8::1:6381', { once: false, slot: 1, place: { host: '2001:db8::1', port: 6381 } }],
    ['ASK 7 node.example:6379', { once: true, slot: 7, place: { host: 'node.example', port: 6379 } }],
    ['MOVED 8192 10.0.0.2:6379', { once: false, slot: 8192, place: { host: 'outside', port: 7002 } }],
    ['MOVED 8192 ?:6379', undefined],
    ['CLUSTERDOWN Hash slot not served', undefined],
    ['ERR MOVED 1 a:1', undefined],
  ])('sends a call elsewhere by %s', (message, expected) => {
    expect(redirectionIn(new Error(message), asked, recipe)).toEqual(expected);
  });
});

describe('the size of a cluster', () => {
  it('is warned of above 20 nodes, with what a hand-off costs there', () => {
    expect(priceOfNodes('cluster a:1', 20)).toBeUndefined();
    expect(priceOfNodes('cluster a:1', 24)).toBe(
      'The cluster a:1 has 24 nodes, and a message for a process goes to all of them. A hand-off between processes ' +
        'takes three messages: it costs its master about 122 µs more, and every node 9 to 14 µs. Keep locks in a smaller ' +
        'cluster, or on a server of their own, if names change hands often.',
    );
  });
});
