import type { ItemReport, ProcessMessage } from '../../../sample-app/flash-sale/sale-report.js';
import {
  HALVES,
  WAIT_EDGES,
  type Half,
  type HalfState,
  type Incident,
  type Lane,
  type Point,
} from '../../../sample-app/live/stage.js';
import type { BuyerOutcome } from './live-crowd.js';

const SECOND = 1_000;
/** So many pieces of lanes are kept for whoever comes late. */
const LANES_KEPT = 20_000;

export const now = (): number => performance.timeOrigin + performance.now();
export const skuOf = (half: Half): string => `live-${half}`;

export interface Counts {
  readonly offered: number;
  readonly stock: number;
  readonly sold: number;
}

interface HalfRecord {
  run: number;
  running: boolean;
  buyers: number;
  began: number;
  ended: number;
  counts: Counts;
  increasing: boolean | null;
  answered: number;
  bought: number;
  soldOut: number;
  failed: Record<string, number>;
  waits: number[];
  /** When buyers were answered within the last second. */
  recent: number[];
  best: number;
  grants: number;
  fence: number;
}

type Accident = Extract<Incident, { kind: 'kill' | 'freeze' }>;
/** What a process reported last. */
interface Reported {
  readonly items: Readonly<Record<string, ItemReport>>;
  /** Until when its lane is drawn, by half. */
  readonly drawn: Record<Half, number>;
}

const newHalf = (run: number, buyers: number, offered: number): HalfRecord => ({
  run,
  running: false,
  buyers,
  began: now(),
  ended: now(),
  counts: { offered, stock: offered, sold: 0 },
  increasing: null,
  answered: 0,
  bought: 0,
  soldOut: 0,
  failed: {},
  waits: [...WAIT_EDGES.map(() => 0), 0],
  recent: [],
  best: 0,
  grants: 0,
  fence: 0,
});

/** What is known of the present sale: it only writes down what the database, the processes and the buyers tell. */
export class SaleRecord {
  number = 0;
  points: Point[] = [];
  lanes: Lane[] = [];
  incidents: Incident[] = [];
  private readonly halves: Record<Half, HalfRecord> = {
    unlocked: newHalf(0, 0, 0),
    locked: newHalf(0, 0, 0),
  };
  private readonly reported = new Map<string, Reported>();

  get running(): boolean {
    return HALVES.some((half) => this.halves[half].running);
  }

  /** Milliseconds since the locked half began; they stand still when it has ended. */
  get at(): number {
    return this.atOf('locked');
  }

  /** When the locked half began. */
  get began(): number {
    return this.halves.locked.began;
  }

  /** A new sale: what was known of these halves is forgotten. */
  prepare(halves: readonly Half[], buyers: number, offered: number): void {
    this.number += 1;
    const kept = ({ half }: { half: Half }) => !halves.includes(half);
    this.points = this.points.filter(kept);
    this.lanes = this.lanes.filter(kept);
    this.incidents = [];
    for (const half of halves) this.halves[half] = newHalf(this.number, buyers, offered);
  }

  begin(half: Half): void {
    this.halves[half].began = now();
    this.halves[half].running = true;
    this.points.push({ half, at: 0, sold: 0 });
  }

  end(half: Half): void {
    this.halves[half].running = false;
    this.halves[half].ended = now();
  }

  isRunning(half: Half): boolean {
    return this.halves[half].running;
  }

  answer(half: Half, outcome: BuyerOutcome, waited: number): void {
    const record = this.halves[half];
    record.answered += 1;
    record.recent.push(now());
    if (outcome === 201) record.bought += 1;
    else if (outcome === 409) record.soldOut += 1;
    else record.failed[outcome] = (record.failed[outcome] ?? 0) + 1;
    const bucket = WAIT_EDGES.findIndex((edge) => waited < edge);
    const place = bucket < 0 ? WAIT_EDGES.length : bucket;
    record.waits[place] = (record.waits[place] ?? 0) + 1;
  }

  count(half: Half, counts: Counts): void {
    this.halves[half].counts = counts;
    this.points.push({ half, at: this.atOf(half), sold: counts.sold });
  }

  audit(half: Half, increasing: boolean): void {
    this.halves[half].increasing = increasing;
  }

  bought(half: Half): number {
    return this.halves[half].bought;
  }

  counts(half: Half): Counts {
    return this.halves[half].counts;
  }

  /** Whether a locked order can still be written. */
  get sellsUnderLock(): boolean {
    return this.halves.locked.running && this.halves.locked.counts.stock > 0;
  }

  hear(process: string, message: ProcessMessage): void {
    if ('report' in message) this.report(process, message.report);
    else if ('frozen' in message) {
      const { at, ms, fence } = message.frozen;
      this.incidents.push({ kind: 'freeze', at: at - this.began, process, ms, fence, refused: 0 });
    } else if ('woke' in message) {
      const { at, fence } = message.woke;
      this.change(
        (one) => one.kind === 'freeze' && one.fence === fence,
        () => ({ woke: at - this.began }),
      );
    } else if ('refused' in message) {
      const { fence, rowFence } = message.refused;
      this.change(
        (one) => one.kind === 'freeze' && one.fence === fence,
        (one) => ({ rowFence, refused: one.kind === 'freeze' ? one.refused + 1 : 0 }),
      );
    }
  }

  /** The process is gone, and what it told last is not true any more. */
  forget(process: string): void {
    this.reported.delete(process);
  }

  ofProcess(process: string): { holds: boolean; waiting: number; inside: number } {
    const items = this.reported.get(process)?.items ?? {};
    const [locked, unlocked] = [items[skuOf('locked')], items[skuOf('unlocked')]];
    return {
      holds: (locked?.inside ?? 0) > 0,
      waiting: locked?.waiting ?? 0,
      inside: unlocked?.inside ?? 0,
    };
  }

  state(half: Half): HalfState {
    const { counts, recent, began: _began, ended: _ended, ...record } = this.halves[half];
    const since = now() - SECOND;
    while (recent.length > 0 && (recent[0] as number) < since) recent.shift();
    const perSecond = record.running ? recent.length : 0;
    this.halves[half].best = Math.max(record.best, perSecond);
    const items = [...this.reported.values()].map((one) => one.items[skuOf(half)]);
    const sum = (what: 'waiting' | 'inside') => items.reduce((all, item) => all + (item?.[what] ?? 0), 0);
    return {
      ...record,
      ...counts,
      at: this.atOf(half),
      perSecond,
      best: this.halves[half].best,
      waiting: sum('waiting'),
      inside: sum('inside'),
    };
  }

  private atOf(half: Half): number {
    const { running, began, ended } = this.halves[half];
    return (running ? now() : ended) - began;
  }

  private report(process: string, report: Extract<ProcessMessage, { report: unknown }>['report']): void {
    const before = this.reported.get(process);
    const drawn = before?.drawn ?? { locked: 0, unlocked: 0 };
    for (const half of HALVES) {
      const item = report.items[skuOf(half)];
      if (!item) continue;
      const record = this.halves[half];
      record.grants += item.grants - (before?.items[skuOf(half)]?.grants ?? 0);
      record.fence = Math.max(record.fence, item.fence);
      for (const span of item.spans) this.draw(half, process, span.from, span.to ?? report.at, drawn);
    }
    for (const one of this.incidents)
      if (isAccident(one) && one.nextGrant === undefined && one.process !== process)
        this.nextGrant(one, process, report);
    this.reported.set(process, { items: report.items, drawn });
  }

  private draw(half: Half, process: string, from: number, to: number, drawn: Record<Half, number>): void {
    const { began, running } = this.halves[half];
    const start = Math.max(from, drawn[half], began);
    if (to <= start || (!running && to > this.halves[half].ended + SECOND)) return;
    drawn[half] = to;
    if (this.lanes.length < LANES_KEPT)
      this.lanes.push({ half, process, from: start - began, to: to - began });
  }

  private nextGrant(
    accident: Accident,
    by: string,
    report: Extract<ProcessMessage, { report: unknown }>['report'],
  ): void {
    const since = this.began + accident.at;
    const lag = Math.max(accident.lag ?? 0, report.lag);
    const granted = report.items[skuOf('locked')]?.spans.find(({ from }) => from > since);
    this.change(
      (one) => one === accident,
      () => ({ lag, ...(granted && { by, nextGrant: granted.from - since }) }),
    );
  }

  private change(which: (incident: Incident) => boolean, how: (incident: Incident) => object): void {
    this.incidents = this.incidents.map((one) => (which(one) ? { ...one, ...how(one) } : one));
  }
}

function isAccident(incident: Incident): incident is Accident {
  return incident.kind === 'kill' || incident.kind === 'freeze';
}
