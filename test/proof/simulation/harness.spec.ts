import { campaign } from './campaign.js';
import { scheduleOf } from './schedule.js';
import { Simulation, type Tamper } from './simulation.js';

const FEW = { schedules: 300, first: 1 };

/** The words of a trace without the random part of the ids. */
async function traceOf(seed: number): Promise<string[]> {
  const { trace } = await new Simulation(scheduleOf('readWrite', seed), { traced: true }).run();
  return trace.map((line) => line.replace(/(p\d)\.[\w-]+/g, '$1'));
}

describe('the simulation itself', () => {
  it('runs the same schedule the same way, event by event', async () => {
    for (const seed of [3, 4, 5]) expect(await traceOf(seed)).toEqual(await traceOf(seed));
  });

  it.each<[string, Tamper, RegExp]>([
    [
      'forgets a holder now and then',
      (server) => {
        let applied = 0;
        server.onApply = (_, { holders }) => void ((applied += 1) % 20 === 0 && holders.pop());
      },
      /holds what the server does not keep|units of a are held/,
    ],
    [
      'ends every lease at half its time',
      (server) => {
        const apply = server.apply.bind(server);
        server.apply = (name, operation) =>
          apply(name, 'ttl' in operation ? { ...operation, ttl: operation.ttl / 2 } : operation);
      },
      /believes its lease for .* ms too long|holds what the server does not keep/,
    ],
    [
      'gives every fence twice',
      (server) => {
        server.onApply = (_, state) => void (state.fence -= 1);
      },
      /has the fence \d+, and a conflicting hold before had/,
    ],
    [
      'forgets its queue now and then',
      (server) => {
        let applied = 0;
        server.onApply = (_, { queue }) => void ((applied += 1) % 10 === 0 && queue.splice(0));
      },
      /lies idle/,
    ],
    [
      'keeps what was released',
      (server) => {
        const apply = server.apply.bind(server);
        server.apply = (name, operation) =>
          apply(name, operation.kind === 'release' ? { ...operation, id: 'nobody.0' } : operation);
      },
      /a holder or a queue is left|lies idle/,
    ],
  ])(
    'finds a server that %s, and says with which seed',
    async (_, tamper, violation) => {
      const failure = await campaign('mutex', { ...FEW, tamper }).then(
        () => 'nothing was found',
        (error: Error) => error.message,
      );
      expect(failure).toMatch(violation);
      expect(failure).toMatch(/^SIM_SEED=\d+ SIM_SCHEDULES=3 \(mutex\)/);
    },
    60_000,
  );

  it('leaves out of a failing schedule what it does not need', async () => {
    const forgetful: Tamper = (server) => (server.onApply = (_, { holders }) => void (holders.length = 0));
    const failure = await campaign('mutex', { ...FEW, tamper: forgetful }).then(
      () => '',
      (error: Error) => error.message,
    );
    const { callers, faults } = JSON.parse(failure.split('\n')[2] ?? '') as Record<string, unknown[]>;
    expect(callers).toHaveLength(1);
    expect(faults?.length).toBeLessThan(2);
  });
});
