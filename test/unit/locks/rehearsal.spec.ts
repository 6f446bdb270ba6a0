import { channel } from 'node:diagnostics_channel';
import { SystemClock } from '../../../lib/base/clock.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { rehearse } from '../../../lib/locks/rehearsal.js';

describe('the rehearsal at the start of a process', () => {
  const clock = new SystemClock();

  /** Rehearses, and tells which services were made for it. */
  async function rehearsed(): Promise<LockService[]> {
    const made: LockService[] = [];
    await rehearse(clock, () => {
      const locks = createLockService({ redis: 'memory' });
      made.push(locks);
      return locks;
    });
    return made;
  }

  it('takes locks in memory, and leaves nothing open', async () => {
    const [locks, ...more] = await rehearsed();
    expect(more).toEqual([]);
    expect(locks?.awaited).toBe(false);
    await expect(locks?.acquire('rehearsal')).rejects.toMatchObject({ reason: 'closed' });
  });

  it('is left out where somebody listens to a channel, who would hear of locks that nobody took', async () => {
    const lost = channel('nestjs-distributed-lock:lost');
    const hear = (): void => undefined;
    lost.subscribe(hear);
    try {
      expect(await rehearsed()).toEqual([]);
    } finally {
      lost.unsubscribe(hear);
    }
  });
});
