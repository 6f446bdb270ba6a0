import { WHOLE } from '../../../../lib/store/lock-machine.js';
import type { AcquireOperation, StuckHold } from '../../../../lib/store/lock-operation.js';
import { encodeOperation } from '../../../../lib/store/redis/operation-codec.js';
import { decodeState } from '../../../../lib/store/redis/state-codec.js';

const ASKED: AcquireOperation = {
  ...{ kind: 'acquire', id: 'S.1', units: WHOLE, capacity: WHOLE, ttl: 10_000_000, guard: 500_000 },
  ...{ block: 10_000_000, wait: 15_000_000, notAfter: 1_795_859_405_280_001, subscribed: true },
  ...{ seal: 'IK-bUhtwEB7O', identity: 'web-2:311 orders' },
};

describe('what the script is told of an acquire', () => {
  it('is this, byte for byte, when its caller holds nothing', () => {
    expect(encodeOperation(ASKED, 60_000_000)).toEqual([
      70_500,
      'S.1 000010500000 = * 10000000 web-2:311 orders',
      '1795859405280001 500000 15000000 1 10000000 IK-bUhtwEB7O',
    ]);
  });

  it('has what its caller holds behind the seal, without a space, and the record gives it back', () => {
    const first = {
      name: 'a: ~b,\u00e4\n',
      id: 'S.2',
      fence: 1_795_859_405_280_001,
      turn: 7,
      yields: true,
      behind: -1,
    };
    const holding: readonly StuckHold[] = [
      first,
      { ...first, name: 'c', id: 'S.3', yields: false, behind: 0 },
    ];
    const [, hold, ask] = encodeOperation({ ...ASKED, holding }, 60_000_000).map(String);
    const [, , , , , sealing = '', ...more] = (ask ?? '').split(' ');
    expect(more).toEqual([]);
    expect(sealing).toBe(
      'IK-bUhtwEB7O~a%3A%20~b%2C%C3%A4%0A:S.2:1795859405280001:7:1:-1,c:S.3:1795859405280001:7:0:0',
    );
    const times = '1795859420322959 1795859420322959 1795859405307864 10000000 500000 10000000';
    const waiter = `1795859420322959 1 2500 2000000 2000000 ${sealing} ${times} ${hold}`;
    const record = `lock1+1795859405280001 A.1 000010500000 = * 10000000 web-1:26956 -\n1795859420322959 2\n1 ${waiter}`;
    expect(decodeState(record).queue).toEqual([
      expect.objectContaining({ id: 'S.1', seal: 'IK-bUhtwEB7O', holding, identity: 'web-2:311 orders' }),
    ]);
  });
});
