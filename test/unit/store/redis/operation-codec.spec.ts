import { WHOLE } from '../../../../lib/store/lock-machine.js';
import type {
  AcquireOperation,
  DowngradeOperation,
  ReleaseOperation,
  RenewOperation,
  StuckHold,
} from '../../../../lib/store/lock-operation.js';
import { decodeAnswer, encodeOperation } from '../../../../lib/store/redis/operation-codec.js';
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

describe('what a script replied', () => {
  const now = 1_795_859_405_280_001;
  const renew: RenewOperation = {
    ...{ kind: 'renew', id: 'S.1', notAfter: now, ttl: 10_000_000, guard: 500_000, block: 1, used: 0 },
  };
  const release: ReleaseOperation = { kind: 'release', id: 'S.1', used: 0, keep: 0, done: 0 };
  const downgrade: DowngradeOperation = { kind: 'downgrade', id: 'S.1', units: 1, used: 0 };

  it('is an answer where it has the time of the server', () => {
    expect(decodeAnswer(ASKED, now)).toMatchObject({ outcome: 'granted', now, first: now });
    expect(decodeAnswer(renew, `${now} ${now + 5}`)).toMatchObject({
      outcome: 'renewed',
      now,
      last: now + 5,
    });
    expect(decodeAnswer(release, -now)).toEqual({ outcome: 'released', now });
    expect(decodeAnswer(release, now)).toEqual({ outcome: 'released', now });
  });

  it.each([null, undefined, '', 'OK', 'QUEUED', 0, 1, -1, true, false, 17, NaN, `${now}`, {}, []])(
    'is nonsense where it has none: %p',
    (reply) => {
      for (const operation of [ASKED, release, downgrade])
        expect(decodeAnswer(operation, reply)).toMatchObject({ now: NaN });
    },
  );

  it.each([null, undefined, '', 'OK', 0, now, '0 0', '1 2', `${now}`, `${now} `, `${now} 0`, []])(
    'is no renewal where it has not two of them: %p',
    (reply) => expect(decodeAnswer(renew, reply)).toMatchObject({ now: NaN }),
  );
});
