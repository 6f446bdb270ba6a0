import type { Lease } from '../../../lib/index.js';
import { LockTestKit } from '../../../lib/testing/index.js';
import { failureOf } from '../../support/eventually.js';

// Compilers lose both errors when a body and a disposal throw, see findings/swc-two-errors-of-using.sh.
describe('the disposal of a lease', () => {
  const ENDS: Record<string, (kit: LockTestKit, lease: Lease) => unknown> = {
    'is held': () => undefined,
    'was released': (_, lease) => lease.release(),
    'has expired': (kit) => kit.expire('account:7'),
    'was taken': (kit) => kit.lose('account:7'),
    'was revoked': (kit) => kit.locks.revoke('account:7', { reason: 'test', force: true }),
    'cannot be released': (kit) => kit.fail(),
    'gets no answer': (kit) => kit.fail('silent'),
    'is closed': (kit) => kit.locks.close(),
  };

  it.each(Object.entries(ENDS))(
    'never throws, and keeps the error of the body: the lease %s',
    async (_, end) => {
      await using kit = new LockTestKit({ clock: 'manual' });
      const body = new Error('of the body');
      const work = async (): Promise<void> => {
        await using lease = await kit.locks.acquire('account:7');
        await end(kit, lease);
        throw body;
      };
      expect(await failureOf(work())).toBe(body);
    },
  );
});
