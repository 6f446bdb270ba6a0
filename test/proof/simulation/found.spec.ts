import type { Fault } from './fault.js';
import { Random } from './random.js';
import { scheduleOf, USUAL_CALLER, type CallerPlan } from './schedule.js';
import { Simulation } from './simulation.js';

const TIMES = 300;

/** What goes wrong when the callers meet, in many timings. */
async function violationOf(
  callers: (draw: Random) => Partial<CallerPlan>[],
  faults: (draw: Random) => Fault[] = () => [],
  usual = 0.3,
): Promise<string | undefined> {
  for (let time = 0; time < TIMES; time += 1) {
    const draw = new Random(time);
    const schedule = {
      ...scheduleOf('mutex', time),
      drifts: [0, 0.005, -0.005],
      deaf: [],
      counted: true,
      latency: { usual, spikes: 0, spike: 0 },
      callers: callers(draw).map((caller) => ({ ...USUAL_CALLER, ...caller })),
      faults: faults(draw),
    };
    const { violation } = await new Simulation(schedule).run();
    if (violation) return violation;
  }
  return undefined;
}

describe('what the simulation found', () => {
  it('a place that one caller took with a short wait is kept for the next caller of the process', async () => {
    const found = await violationOf((draw) => [
      { hold: 300 },
      { process: 1, at: 10, wait: draw.between(100, 200) },
      { process: 1, at: 50, wait: 30_000 },
      { process: 2, at: 60, hold: 5 },
    ]);
    expect(found).toBeUndefined();
  });

  it('a claim is worth the ttl that was asked for, not that of the caller who has it now', async () => {
    const found = await violationOf((draw) => [
      { hold: draw.between(0, 1.5) },
      { process: 1, at: 0.5, ttl: 500, abortAfter: 1.5 },
      { process: 1, at: 0.6, ttl: 3_000, hold: 30 },
    ]);
    expect(found).toBeUndefined();
  });

  it('a caller waits no longer than it wants to after its clock has jumped', async () => {
    const found = await violationOf(
      (draw) => [
        { hold: 2_000, ttl: 3_000, wait: 0 },
        { at: draw.between(200, 300), ttl: 3_000, wait: 80 },
      ],
      (draw) => [{ kind: 'jump', at: draw.between(0.1, 1.5), process: 0, by: draw.between(100, 10_000) }],
    );
    expect(found).toBeUndefined();
  });

  it('a copy of an acquire that is read after the grant and the release of its attempt is undone', async () => {
    const found = await violationOf(
      (draw) => [
        { hold: draw.between(12, 25), ttl: 3_000 },
        { process: 1, at: 0.5, ttl: 3_000, hold: 1 },
        { at: 60, ttl: 3_000 },
      ],
      (draw) => [
        {
          kind: 'reset',
          at: draw.between(2.2, 3),
          process: 1,
          which: 'commands',
          late: { copies: 2, within: 600 },
          noticed: 0,
        },
      ],
    );
    expect(found).toBeUndefined();
  });

  it('a lease ends whose hand-over was done by a command without an answer, though the next one came too late', async () => {
    const giver = (draw: Random): Partial<CallerPlan> => ({
      ...{ ttl: 300, hold: 290, givesAfter: draw.between(20, 120), givesFor: 100 },
      takers: [{ process: 1, after: 60, hold: 50 }],
    });
    expect(await violationOf((draw) => [giver(draw)], undefined, 15)).toBeUndefined();
  });
});
