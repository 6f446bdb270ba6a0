import { scheduleOf, USUAL_CALLER, type CallerPlan } from './schedule.js';
import { Simulation } from './simulation.js';

const TIMES = 300;

/** What goes wrong when the callers meet, in many timings of an undisturbed network. */
async function violationOf(callers: (draw: number) => Partial<CallerPlan>[]): Promise<string | undefined> {
  for (let time = 0; time < TIMES; time += 1) {
    const schedule = {
      ...scheduleOf('mutex', time),
      drifts: [0, 0.005, -0.005],
      deaf: [],
      counted: true,
      latency: { usual: 0.3, spikes: 0, spike: 0 },
      callers: callers(time / TIMES).map((caller) => ({ ...USUAL_CALLER, ...caller })),
      faults: [],
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
      { process: 1, at: 10, wait: 100 + 100 * draw },
      { process: 1, at: 50, wait: 30_000 },
      { process: 2, at: 60, hold: 5 },
    ]);
    expect(found).toBeUndefined();
  });

  it('a claim is worth the ttl that was asked for, not that of the caller who has it now', async () => {
    const found = await violationOf((draw) => [
      { hold: 1.5 * draw },
      { process: 1, at: 0.5, ttl: 500, abortAfter: 1.5 },
      { process: 1, at: 0.6, ttl: 3_000, hold: 30 },
    ]);
    expect(found).toBeUndefined();
  });
});
