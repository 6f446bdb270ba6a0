import { KeySlots, SLOTS } from '../../lib/store/redis/key-slots.js';
import type { Costs } from './costs.js';

/** What an application does. */
export interface Workload {
  readonly processes: number;
  readonly names: number;
  /** Locks asked for in a second, by all processes together. */
  readonly requests: number;
  /** For how long each is held, in milliseconds. */
  readonly hold: number;
  /** `even`: each name as often as any other; `hot`: the second half as often as the first, and so on (Zipf). */
  readonly popularity: 'even' | 'hot';
}

/** What one simulated run showed. */
export interface Outcome {
  /** The share of its time in which the busiest node works. */
  readonly busiest: number;
  /** The same of all nodes on average. */
  readonly average: number;
  /** A second: from process to process, and from caller to caller of one process. */
  readonly handOffs: number;
  readonly inside: number;
  /** Of those who found their name taken or their node busy: milliseconds beyond the round trip. */
  readonly median: number;
  readonly slowest: number;
  /** The share of the requests that were not served when the run ended. */
  readonly left: number;
}

const MOST_REQUESTS = 20_000;
const LONGEST = 10_000;
// Milliseconds of a round trip between a process and a node.
const ROUND_TRIP = 0.5;
// As Leases.mayGoOn: how long a process keeps a name that others want.
const TURN = 10;
const MOST_INSIDE = 64;

interface Request {
  readonly process: number;
  readonly at: number;
}

interface Name {
  readonly node: number;
  holder: number;
  /** Since when its process has it, and how often it went from caller to caller since then. */
  since: number;
  inside: number;
  queue: Request[];
}

/** What one PUBLISH costs the node that is asked, and each other one; of one server it is in the hand-off. */
export function publishing(masters: number, { publish }: Costs): { told: number; other: number } {
  if (masters === 1) return { told: 0, other: 0 };
  const each = (publish.asked - publish.one) / 2;
  return { told: publish.one + (masters - 1) * each, other: publish.other };
}

/** Runs locks as the library hands them on, each node of the cluster serving one call after another at the measured costs. */
export function simulate(workload: Workload, masters: number, costs: Costs, seed = 1): Outcome {
  const { processes, names, requests, hold } = workload;
  const random = randomOf(seed);
  const pick = workload.popularity === 'hot' ? zipf(names, random) : () => Math.floor(random() * names);
  const slots = new KeySlots('lock:');
  const { free, handed } = masters === 1 ? costs.one : costs.cluster;
  const notices = costs.cluster.handed.notices;
  // What the hand-off measured in three masters has of PUBLISH is taken out, and put in for so many.
  const { told, other } = publishing(masters, costs);
  const script = masters === 1 ? handed.server : handed.server - notices * (costs.publish.asked + 2 * other);
  const busy = new Float64Array(masters);
  const until = new Float64Array(masters);
  const known = new Map<number, Name>();
  const events = new Events();
  const waits: number[] = [];
  let [handOffs, inside, served] = [0, 0, 0];

  /** When the node has done `micros` of work that reaches it at `at`. */
  const work = (node: number, at: number, micros: number): number => {
    const done = Math.max(at, until[node] as number) + micros / 1_000;
    busy[node] = (busy[node] as number) + micros / 1_000;
    return (until[node] = done);
  };
  const nameOf = (index: number): Name => {
    let name = known.get(index);
    if (!name) {
      const node = Math.floor((slots.of(`name:${index}`) * masters) / SLOTS);
      known.set(index, (name = { node, holder: -1, since: 0, inside: 0, queue: [] }));
    }
    return name;
  };
  const start = (name: Name, request: Request, at: number, first: boolean): void => {
    served += 1;
    const wait = at - request.at - ROUND_TRIP;
    if (wait > 0.05) waits.push(wait);
    name.holder = request.process;
    if (first) [name.since, name.inside] = [at, 0];
    events.add(at + hold, () => end(name, at + hold));
  };
  const end = (name: Name, at: number): void => {
    const { queue, holder } = name;
    const next = queue.findIndex(({ process }) => process === holder);
    const wanted = queue.some(({ process }) => process !== holder);
    const mayStay = !wanted || (at - name.since < TURN && name.inside < MOST_INSIDE);
    if (next >= 0 && mayStay) {
      const [request] = queue.splice(next, 1);
      name.inside += 1;
      inside += 1;
      return start(name, request as Request, at, false);
    }
    const heir = queue.findIndex(({ process }) => process !== holder);
    if (heir < 0) {
      name.holder = -1;
      work(name.node, at + ROUND_TRIP / 2, free.server / 2);
      return;
    }
    const [request] = queue.splice(heir, 1);
    handOffs += 1;
    const done = work(name.node, at + ROUND_TRIP / 2, script + notices * told);
    // When it is heard, not before: a node does what comes first.
    const hear = (): void => {
      for (let node = 0; node < masters; node += 1)
        if (node !== name.node) work(node, done + ROUND_TRIP / 2, notices * other);
    };
    if (masters > 1) events.add(done, hear);
    start(name, request as Request, done + ROUND_TRIP / 2, true);
  };
  const ask = (at: number): void => {
    const name = nameOf(pick());
    const request = { process: Math.floor(random() * processes), at };
    if (name.holder >= 0) return void name.queue.push(request);
    name.holder = request.process;
    const done = work(name.node, at + ROUND_TRIP / 2, free.server / 2);
    start(name, request, done + ROUND_TRIP / 2, true);
  };

  const length = Math.min(LONGEST, (MOST_REQUESTS / requests) * 1_000);
  let count = 0;
  for (let at = gap(); at < length; at += gap()) {
    events.runUntil(at);
    ask(at);
    count += 1;
  }
  events.runUntil(length);
  function gap(): number {
    return (-Math.log(1 - random()) * 1_000) / requests;
  }
  waits.sort((a, b) => a - b);
  const shares = Array.from(busy, (each) => each / length);
  return {
    busiest: Math.max(...shares),
    average: shares.reduce((sum, each) => sum + each, 0) / masters,
    handOffs: (handOffs * 1_000) / length,
    inside: (inside * 1_000) / length,
    median: waits[Math.floor(waits.length / 2)] ?? 0,
    slowest: waits[Math.floor(waits.length * 0.99)] ?? 0,
    left: (count - served) / count,
  };
}

/** What happens when, soonest first. */
class Events {
  private readonly heap: { at: number; run: () => void }[] = [];

  add(at: number, run: () => void): void {
    const { heap } = this;
    let place = heap.push({ at, run }) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if ((heap[parent]?.at ?? 0) <= at) break;
      this.swap(place, parent);
      place = parent;
    }
  }

  runUntil(time: number): void {
    const { heap } = this;
    for (let [first] = heap; first && first.at <= time; [first] = heap) {
      const last = heap.pop();
      if (last && last !== first) {
        heap[0] = last;
        this.sink();
      }
      first.run();
    }
  }

  private sink(): void {
    const { heap } = this;
    for (let place = 0; ;) {
      const left = 2 * place + 1;
      const right = left + 1;
      const atOf = (index: number): number => heap[index]?.at ?? Infinity;
      const child = atOf(right) < atOf(left) ? right : left;
      if (atOf(child) >= atOf(place)) return;
      this.swap(place, child);
      place = child;
    }
  }

  private swap(a: number, b: number): void {
    const { heap } = this;
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  }
}

/** Draws of which the first is asked for most, the second half as often, and so on. */
function zipf(names: number, random: () => number): () => number {
  const sums = new Float64Array(names);
  let sum = 0;
  for (let rank = 0; rank < names; rank += 1) sums[rank] = sum += 1 / (rank + 1);
  return () => {
    const drawn = random() * sum;
    let [low, high] = [0, names - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** mulberry32: the same seed, the same draws. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
