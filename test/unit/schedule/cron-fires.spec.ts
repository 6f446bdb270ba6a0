import { CronJob, CronTime } from 'cron';
import { firesOf, nearestFire } from '../../../lib/schedule/cron-fires.js';

const at = (iso: string): Date => new Date(iso);
const iso = ({ at: fire }: { at: Date }): string => fire.toISOString();

describe('the fire nearest to now', () => {
  it.each([
    ['on time', '2026-11-28T03:00:00.000Z', '2026-11-28T03:00:00.000Z'],
    ['a timer that is a millisecond early', '2026-11-28T02:59:59.999Z', '2026-11-28T03:00:00.000Z'],
    ['a process that is 40 min late', '2026-11-28T03:40:00.000Z', '2026-11-28T03:00:00.000Z'],
    ['a process that is 70 min late', '2026-11-28T04:10:00.000Z', '2026-11-28T03:00:00.000Z'],
    ['a process that was asleep for 23 h', '2026-11-29T02:00:00.123Z', '2026-11-28T03:00:00.000Z'],
  ])('is the one of the schedule: %s', (_what, now, fire) => {
    expect(iso(nearestFire(new CronTime('0 3 * * *', 'UTC'), at(now)))).toBe(fire);
  });

  it.each([
    ['0 0 1 1 *', '2026-12-30T12:00:00.000Z', '2026-01-01T00:00:00.000Z'],
    ['0 0 29 2 *', '2027-11-01T00:00:00.000Z', '2024-02-29T00:00:00.000Z'],
    ['* * 9 * * *', '2026-11-28T20:00:00.000Z', '2026-11-28T09:59:59.000Z'],
    ['0 9,10,12 * * 1', '2026-11-28T20:00:00.000Z', '2026-11-23T12:00:00.000Z'],
    ['*/7 * * * * *', '2026-11-28T20:00:12.999Z', '2026-11-28T20:00:07.000Z'],
  ])('is the last one, however long ago: of %s at %s', (source, now, fire) => {
    const began = performance.now();
    expect(iso(nearestFire(new CronTime(source, 'UTC'), at(now)))).toBe(fire);
    expect(performance.now() - began).toBeLessThan(500);
  });

  it('lies on either side, and tells the period', () => {
    const minutely = new CronTime('0 * * * * *', 'UTC');
    const before = nearestFire(minutely, at('2026-11-28T03:00:58.900Z'));
    const after = nearestFire(minutely, at('2026-11-28T03:00:59.100Z'));
    expect([iso(before), before.period]).toEqual(['2026-11-28T03:00:00.000Z', 60_000]);
    expect([iso(after), after.period]).toEqual(['2026-11-28T03:01:00.000Z', 60_000]);
  });

  it('has the same period for a run that is early as for one on time', () => {
    const twice = new CronTime('0 9,10 * * *', 'UTC');
    for (const now of ['2026-11-28T08:59:59.999Z', '2026-11-28T09:00:00.000Z', '2026-11-28T09:00:00.400Z'])
      expect(nearestFire(twice, at(now))).toEqual({ at: at('2026-11-28T09:00:00.000Z'), period: 3_600_000 });
    const each = nearestFire(new CronTime('* * * * * *', 'UTC'), at('2026-11-28T09:00:00.600Z'));
    expect(each).toEqual({ at: at('2026-11-28T09:00:01.000Z'), period: 1_000 });
  });

  it('goes by the time zone or the offset of the schedule, whatever the zone of the process', () => {
    const now = at('2026-07-01T00:00:10.000Z');
    expect(iso(nearestFire(new CronTime('0 2 * * *', 'Europe/Berlin'), now))).toBe(
      '2026-07-01T00:00:00.000Z',
    );
    expect(iso(nearestFire(new CronTime('30 5 * * *', null, 330), now))).toBe('2026-07-01T00:00:00.000Z');
    expect(iso(nearestFire(new CronTime('0 21 * * *', null, -180), now))).toBe('2026-07-01T00:00:00.000Z');
  });

  it('tells the fires of a repeated hour apart, since it is an instant', () => {
    const halfHourly = new CronTime('0 0,30 * * * *', 'Europe/Berlin');
    const found = ['00:00', '00:30', '01:00', '01:30', '02:00'].map((time) =>
      iso(nearestFire(halfHourly, at(`2026-10-25T${time}:00.003Z`))),
    );
    expect(new Set(found).size).toBe(found.length);
    expect(found[0]).toBe('2026-10-25T00:00:00.000Z');
  });

  it('is common to two expressions that fire at the same instant, as in a rolling deploy', () => {
    const now = at('2026-11-28T04:00:00.020Z');
    const found = ['0 0 * * * *', '0 */30 * * * *', '0 0 4 * * *'].map((source) =>
      iso(nearestFire(new CronTime(source, 'UTC'), now)),
    );
    expect(new Set(found)).toEqual(new Set(['2026-11-28T04:00:00.000Z']));
  });

  it('is the date of a schedule that fires once', () => {
    const date = at('2026-11-28T04:00:00.250Z');
    const fire = nearestFire(new CronTime(date), at('2026-11-28T04:00:01.000Z'));
    expect(fire).toEqual({ at: date, period: Infinity });
  });

  it('follows a job whose time is set anew', () => {
    const job = CronJob.from({ cronTime: '0 0 * * * *', timeZone: 'UTC', onTick: () => undefined });
    const plan = firesOf(job, { mark: 'end' });
    const now = at('2026-11-28T04:10:00.000Z');
    expect(iso(plan.nearest(now, {}))).toBe('2026-11-28T04:00:00.000Z');
    job.setTime(new CronTime('0 10 * * * *', 'UTC'));
    expect(iso(plan.nearest(now, {}))).toBe('2026-11-28T04:10:00.000Z');
    expect(plan.mark).toBe('end');
  });
});
