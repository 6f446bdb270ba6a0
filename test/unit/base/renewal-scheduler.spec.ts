import { RenewalScheduler, type Renewable } from '../../../lib/base/shared-timer.js';
import { HandClock } from '../../support/hand-clock.js';

const HOUR = 3_600_000;

describe('the scheduler of renewals', () => {
  let clock: HandClock, scheduler: RenewalScheduler, renewed: string[];
  beforeEach(() => {
    clock = new HandClock();
    scheduler = new RenewalScheduler(clock, () => 0);
    renewed = [];
  });
  const lease = (name: string): Renewable => ({
    renewalSlot: 0,
    linked: false,
    before: undefined,
    after: undefined,
    renew: () => renewed.push(name),
  });

  it('tells each in its slot, once, and nobody who left', () => {
    const [soon, same, left, later] = ['soon', 'same', 'left', 'later'].map(lease) as [
      Renewable,
      Renewable,
      Renewable,
      Renewable,
    ];
    scheduler.set(later, 50);
    for (const item of [soon, left, same]) scheduler.set(item, 10);
    scheduler.delete(left);
    scheduler.delete(left);
    clock.pass(10);
    expect(renewed).toEqual(['soon', 'same']);
    clock.pass(40);
    expect(renewed).toEqual(['soon', 'same', 'later']);
    expect(clock.timers.size).toBe(0);
  });

  it('tells at the new time when it was set again', () => {
    const item = lease('moved');
    scheduler.set(item, 10);
    scheduler.set(item, 30);
    clock.pass(20);
    expect(renewed).toEqual([]);
    clock.pass(10);
    expect(renewed).toEqual(['moved']);
  });

  it('calls in time what came after a jump of the clock, and what was there before', () => {
    scheduler.set(lease('before'), 10_000);
    clock.jump(5_000);
    scheduler.set(lease('after'), 8_000);
    clock.pass(4_990);
    expect(renewed).toEqual([]);
    clock.pass(10);
    expect(renewed).toEqual(['before']);
    clock.pass(2_990);
    expect(renewed).toEqual(['before']);
    clock.pass(10);
    expect(renewed).toEqual(['before', 'after']);
  });

  it('keeps few empty slots of leases that last for long and end soon', () => {
    const lasting = lease('lasting');
    scheduler.set(lasting, 2 * HOUR);
    for (let each = 0; each < 20_000; each += 1) {
      const item = lease('short');
      scheduler.set(item, HOUR);
      scheduler.delete(item);
      clock.pass(5);
    }
    expect((Reflect.get(scheduler, 'slots') as Map<number, unknown>).size).toBeLessThan(2_100);
    clock.pass(2 * HOUR);
    clock.pass(HOUR);
    expect(renewed).toEqual(['lasting']);
  });

  it('forgets everybody when it is closed', () => {
    const item = lease('closed');
    scheduler.set(item, 10);
    scheduler.close();
    expect(item.renewalSlot).toBe(0);
    clock.pass(20);
    expect(renewed).toEqual([]);
    expect(clock.timers.size).toBe(0);
  });
});
