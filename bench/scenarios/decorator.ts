import { comparesWithBefore } from '../contenders/before.js';
import type { Role } from '../contenders/contender.js';
import { inNewProcess } from '../fixture/worker-pool.js';
import { interleaved } from '../measure/rounds.js';
import type { Sample } from '../measure/table.js';
import type { Callee } from '../workers/decorated.js';
import { type Scenario, terms } from './scenario.js';

/**
 * A decorated method, without any server. Each is called in a process of its own, as it would be in an application, and in
 * a new one each round: how fast one process runs differs by a tenth from process to process.
 */
export const decorator: Scenario = {
  id: 'decorator',
  async run(fixture) {
    const count = fixture.quick ? 5_000 : 20_000;
    const callees: { id: Callee; label: string; role: Role }[] = [
      { id: 'own', label: '@Locked, memory store', role: 'ours' },
      ...(comparesWithBefore()
        ? [{ id: 'before', label: 'the build of before', role: 'ours' } as const]
        : []),
      { id: 'async-mutex', label: 'async-mutex runExclusive, beside an AsyncLocalStorage', role: 'limit' },
    ];
    const runners = callees.map(({ id, label, role }) => ({
      ...{ id, label, role },
      sample: () => inNewProcess<Sample>({ do: 'call', callee: id, count }),
    }));
    const rows = await interleaved(runners, terms(fixture));
    const columns = [
      { id: 'one', title: 'one at a time: calls/s of CPU time', better: 'more' },
      { id: 'hundred', title: '100 callers: calls/s of CPU time', better: 'more' },
    ] as const;
    return [
      { id: 'decorator', title: 'A decorated method over the memory store', section: 'empty', columns, rows },
    ];
  },
};
