import { parseArgs } from 'node:util';
import { readCosts } from './costs.js';
import { answer, tables } from './tables.js';

const { values } = parseArgs({
  options: {
    processes: { type: 'string' },
    names: { type: 'string' },
    requests: { type: 'string' },
    hold: { type: 'string', default: '20' },
    popularity: { type: 'string', default: 'even' },
  },
});
const costs = readCosts();
const { processes, names, requests } = values;
if (processes === undefined && names === undefined && requests === undefined) {
  for (const [name, text] of Object.entries(tables(costs))) console.log(`\n${name}\n\n${text}`);
} else {
  const number = (name: string, text: string | undefined): number => {
    const value = Number(text);
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0; it was ${String(text)}.`);
    return value;
  };
  if (values.popularity !== 'even' && values.popularity !== 'hot')
    throw new Error(`--popularity takes even or hot; it was ${values.popularity}.`);
  const workload = {
    processes: number('processes', processes),
    names: number('names', names),
    requests: number('requests', requests),
    hold: number('hold', values.hold),
    popularity: values.popularity,
  } as const;
  console.log(answer(workload, costs));
}
