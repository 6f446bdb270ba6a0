import { figures } from '../measure/numbers.js';
import type { Costs } from './costs.js';
import { publishing, simulate, type Outcome, type Workload } from './simulation.js';

/** The share of its time in which a node may work: beyond it, waits grow with every burst. */
export const FULL = 0.7;
export const SIZES = [1, 3, 6, 12] as const;
// As Redis comes: connections of all clients together.
const MAX_CLIENTS = 10_000;
// Of a process: to one server one for commands and one for notices; to a cluster one to each master, and two for notices.
const connections = (processes: number, masters: number): number =>
  masters === 1 ? 2 * processes : processes * (1 + 2 / masters);
const FENCE_MEMORY = 60;

const WORKLOADS: readonly Workload[] = [
  { processes: 10, names: 1_000, requests: 1_000, hold: 20, popularity: 'even' },
  { processes: 100, names: 10_000, requests: 5_000, hold: 20, popularity: 'even' },
  { processes: 1_000, names: 100_000, requests: 10_000, hold: 20, popularity: 'even' },
  { processes: 1_000, names: 1_000_000, requests: 50_000, hold: 20, popularity: 'even' },
  { processes: 10_000, names: 1_000_000, requests: 50_000, hold: 20, popularity: 'even' },
  { processes: 1_000_000, names: 1_000_000, requests: 50_000, hold: 20, popularity: 'even' },
  { processes: 100, names: 1_000, requests: 5_000, hold: 100, popularity: 'even' },
  { processes: 1_000, names: 1_000, requests: 20_000, hold: 20, popularity: 'even' },
  { processes: 100, names: 100_000, requests: 5_000, hold: 5, popularity: 'hot' },
  { processes: 1_000, names: 1_000_000, requests: 20_000, hold: 5, popularity: 'hot' },
];

/** Everything that docs/scaling.md takes from here, by the name of its place there. */
export function tables(costs: Costs): Record<string, string> {
  return {
    costs: costTable(costs),
    memory: memoryTable(costs),
    limits: limitTable(costs),
    measured: measured(costs),
    simulation: table(
      ['processes', 'names', 'locks/s, held for', ...SIZES.map(sizeTitle)],
      WORKLOADS.map((workload) => [
        large(workload.processes),
        large(workload.names) + (workload.popularity === 'hot' ? ', Zipf' : ''),
        `${large(workload.requests)}, ${workload.hold} ms`,
        ...SIZES.map((masters) => cell(workload, masters, costs)),
      ]),
    ),
  };
}

function measured({ date, node, server, cores, load }: Costs): string {
  return (
    `The costs were measured on ${date} with Node ${node} and Redis ${server}, on ${cores} cores with a load of ${load}. ` +
    'The higher the load, the dearer is each operation: compare the figures with each other, and measure your own machine.'
  );
}

/** What becomes of one workload, for each size: what `npm run scaling -- --processes …` prints. */
export function answer(workload: Workload, costs: Costs): string {
  const head = ['', ...SIZES.map(sizeTitle)];
  const outcomes = SIZES.map((masters) => simulate(workload, masters, costs));
  const line = (title: string, show: (outcome: Outcome, masters: number) => string): string[] => [
    title,
    ...outcomes.map((outcome, index) => show(outcome, SIZES[index] ?? NaN)),
  ];
  return table(head, [
    line('busiest node works', ({ busiest }) => percent(busiest)),
    line('hand-offs/s between processes', ({ handOffs }) => figures(handOffs)),
    line('hand-offs/s inside processes', ({ inside }) => figures(inside)),
    line('wait of those who wait: p50, ms', ({ median }) => figures(median)),
    line('p99, ms', ({ slowest }) => figures(slowest)),
    line('connections of a node', (_, masters) => large(connections(workload.processes, masters))),
    line('memory of a node, MB', (_, masters) => figures(memoryOf(workload, masters, costs) / 1e6)),
    line('breaks first', (outcome, masters) => broken(workload, masters, outcome)),
  ]);
}

function cell(workload: Workload, masters: number, costs: Costs): string {
  const outcome = simulate(workload, masters, costs);
  const words = broken(workload, masters, outcome);
  const load = percent(outcome.busiest);
  return words === '–' ? load : `${load}: ${words}`;
}

/** What does not hold any more. */
function broken({ processes }: Workload, masters: number, { busiest, left }: Outcome): string {
  const broken: string[] = [];
  if (busiest > FULL) broken.push('CPU');
  else if (left > 0.05) broken.push('a hot name');
  if (connections(processes, masters) > MAX_CLIENTS) broken.push('connections');
  return broken.join(', ') || '–';
}

/** Names that were used within the last minute, and connections. */
function memoryOf(
  { names, requests, popularity, processes }: Workload,
  masters: number,
  costs: Costs,
): number {
  let known = 0;
  const harmonic = Math.log(names) + 0.577;
  const seen = (rate: number): number => 1 - Math.exp(-rate * FENCE_MEMORY);
  if (popularity === 'even') known = names * seen(requests / names);
  else for (let rank = 1; rank <= names; rank += 1) known += seen(requests / (rank * harmonic));
  const { bytes } = costs;
  const each = bytes['idle-all'] ?? NaN;
  return (known * each) / masters + connections(processes, masters) * (bytes['connection'] ?? NaN);
}

function costTable({ one, cluster, publish }: Costs): string {
  const rows = [
    ['free name, 64 at once by one process', 'together'],
    ['free name, by many processes, one at a time', 'free'],
    ['hand-off between processes', 'handed'],
  ] as const;
  return table(
    ['operation', 'calls', 'messages', 'clients', 'one server', 'clients', '3 masters, together'],
    [
      ...rows.map(([title, id]) => [
        title,
        id === 'together' ? '2 for 1 to 32 names' : figures(one[id].calls),
        figures(one[id].notices),
        `${figures(one[id].client)} µs`,
        `${figures(one[id].server)} µs`,
        `${figures(cluster[id].client)} µs`,
        `${figures(cluster[id].server)} µs`,
      ]),
      [
        'one message (`PUBLISH`)',
        '–',
        '1',
        '–',
        `${figures(publish.one)} µs`,
        '–',
        `${figures(publish.asked)} µs, and ${figures(publish.other)} µs at each other node`,
      ],
    ],
  );
}

const STATES: readonly [string, string][] = [
  ['free again, for `fenceMemory`', 'idle'],
  ['the same with its part of the tables of the server (10 000 names)', 'idle-all'],
  ['held, nobody waits', 'held'],
  ['held, 1 process waits', 'waiting-1'],
  ['held, 8 processes wait', 'waiting-8'],
  ['held, 9 processes wait', 'waiting-9'],
  ['read by 10 processes', 'readers'],
  ['a semaphore, 10 permits taken', 'permits'],
  ['a connection', 'connection'],
];

function memoryTable({ bytes }: Costs): string {
  return table(
    ['what', 'bytes'],
    STATES.map(([title, id]) => [title, figures(bytes[id] ?? NaN)]),
  );
}

/** The most that all names together do when every node works for {@link FULL} of its time. */
function limitTable(costs: Costs): string {
  const budget = FULL * 1e6;
  const free = (masters: number): number =>
    (masters * budget) / (masters === 1 ? costs.one : costs.cluster).free.server;
  const handed = (masters: number): number => {
    const { told, other } = publishing(masters, costs);
    const { notices, server } = costs.cluster.handed;
    if (masters === 1) return budget / costs.one.handed.server;
    const script = server - notices * (costs.publish.asked + 2 * costs.publish.other);
    return (masters * budget) / (script + notices * (told + (masters - 1) * other));
  };
  const sizes = [...SIZES, 20, 50];
  // However many there are, each hears of all: what the asked node spends on telling it, and what it spends on hearing.
  const { told, other } = publishing(1_000_000, costs);
  const limit = budget / (costs.cluster.handed.notices * (told / 1_000_000 + other));
  return table(
    ['', ...sizes.map(sizeTitle), 'any number'],
    [
      ['locks/s on free names', ...sizes.map((masters) => large(round(free(masters)))), 'no limit'],
      [
        'or hand-offs/s between processes',
        ...sizes.map((masters) => large(round(handed(masters)))),
        large(round(limit)),
      ],
      [
        'or processes, at 10 000 connections a node',
        ...sizes.map((masters) => large(Math.floor(MAX_CLIENTS / connections(1, masters)))),
        large(MAX_CLIENTS),
      ],
    ],
  );
}

function sizeTitle(masters: number): string {
  return masters === 1 ? 'one server' : `${masters} masters`;
}

function round(value: number): number {
  return Number(value.toPrecision(2));
}

function large(value: number): string {
  return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** As prettier leaves it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}
