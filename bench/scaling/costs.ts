import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { figureOf, type Table } from '../measure/table.js';

/** What was measured of one operation: microseconds of processor time, and bytes of a server. */
export interface Costs {
  readonly date: string;
  readonly node: string;
  readonly server: string;
  readonly cores: number;
  /** What else the machine did: the load of the last minute. */
  readonly load: number;
  /** Of one server, and of all masters of a cluster together: a free name alone or with others, and a hand-off. */
  readonly one: Operations;
  readonly cluster: Operations;
  /** At one server; at the node that is asked, and at each other one, of three masters. */
  readonly publish: { readonly one: number; readonly asked: number; readonly other: number };
  /** By row of the table `costs-memory`. */
  readonly bytes: Readonly<Record<string, number>>;
}

export interface Operations {
  readonly together: Cost;
  readonly free: Cost;
  readonly handed: Cost;
}

export interface Cost {
  readonly client: number;
  readonly server: number;
  /** Script calls and messages. */
  readonly calls: number;
  readonly notices: number;
}

const FILE = 'bench/results/costs.json';

export function readCosts(root = process.cwd()): Costs {
  return JSON.parse(readFileSync(join(root, FILE), 'utf8')) as Costs;
}

export function writeCosts(server: string, operations: Table, memory: Table): void {
  const of = (id: string, column: string): number => {
    const row = operations.rows.find((each) => each.id === id);
    const figure = row ? figureOf(row, column) : NaN;
    return Number.isFinite(figure) ? Math.round(figure * 100) / 100 : 0;
  };
  const cost = (id: string): Cost => ({
    client: of(id, 'client'),
    server: of(id, 'server'),
    calls: of(id, 'calls'),
    notices: of(id, 'notices'),
  });
  const all = (id: string): Operations => ({
    together: cost(`${id}-together`),
    free: cost(`${id}-free`),
    handed: cost(`${id}-handed`),
  });
  const bytes = Object.fromEntries(memory.rows.map((row) => [row.id, Math.round(figureOf(row, 'bytes'))]));
  const found: Costs = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    server,
    cores: availableParallelism(),
    load: Math.round((loadavg()[0] ?? NaN) * 10) / 10,
    one: all('one'),
    cluster: all('cluster'),
    publish: {
      one: of('publish-one', 'server'),
      asked: of('publish', 'server'),
      other: of('publish', 'others'),
    },
    bytes,
  };
  writeFileSync(join(process.cwd(), FILE), `${JSON.stringify(found, undefined, 2)}\n`);
}
