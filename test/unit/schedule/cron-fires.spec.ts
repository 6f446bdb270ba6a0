import { CronJob, CronTime } from 'cron';
import { firesOf, nearestFire } from '../../../lib/schedule/cron-fires.js';

const at = (iso: string): Date => new Date(iso);
const iso = ({ at: fire }: { at: Date }): string => fire.toISOString();

describe('the fire nearest to now', () => {
  it.each([
    ['on time', '2026-11-28T03:00:00.000Z', '2026-11-28T03:00:00.000Z'],
    ['a timer that is a millisecond early', '2026-11-28T02:59:59.999Z', '2026-11-28T03:00:00.000Z'],
    ['a process that is 40 min late', '2026-11-28T03:40:00.000Z', '2026-11-28T03:00:00.000Z'],
  ])('is the one of the schedule: %s', (_what, now, fire) => {
    expect(iso(nearestFire(new CronTime('0 3 * * *', 'UTC'), at(now)))).toBe(fire);
  });

  it('lies on either side, and tells the period', () => {
    const minutely = new CronTime('0 * * * * *', 'UTC');
    const before = nearestFire(minutely, at('2026-11-28T03:00:29.900Z'));
    const after = nearestFire(minutely, at('2026-11-28T03:00:30.100Z'));
    expect([iso(before), before.period]).toEqual(['2026-11-28T03:00:00.000Z', 60_000]);
    expect([iso(after), after.period]).toEqual(['2026-11-28T03:01:00.000Z', 60_000]);
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
