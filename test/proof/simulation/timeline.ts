interface Event {
  readonly time: number;
  readonly seq: number;
  fire: (() => void) | undefined;
}

/**
 * Virtual time, in milliseconds: events in order, and after each all promises that it settled. It runs as the
 * monotonic clock of the server does; the clocks of the processes drift against it.
 */
export class Timeline {
  now = 0;
  /** Called when an event and everything that it set off is over. */
  afterEach: () => void = () => undefined;
  /** What happened, when it is to be told. */
  trace: string[] | undefined;
  private readonly heap: Event[] = [];
  private seq = 0;

  /** Runs `fire` at `time`; the result cancels it. */
  at(time: number, fire: () => void): () => void {
    const event: Event = { time: Math.max(time, this.now), seq: (this.seq += 1), fire };
    this.push(event);
    return () => (event.fire = undefined);
  }

  after(ms: number, fire: () => void): () => void {
    return this.at(this.now + ms, fire);
  }

  note(what: () => string): void {
    this.trace?.push(`${this.now.toFixed(3).padStart(10)}  ${what()}`);
  }

  /** Lets time go on until `done`, or up to `limit`. True when it was done. */
  run(limit: number, done: () => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          this.afterEach();
          if (done()) return resolve(true);
          const event = this.next(limit);
          if (!event) {
            this.now = Math.max(this.now, limit);
            return resolve(done());
          }
          this.now = event.time;
          event.fire?.();
        } catch (error) {
          return reject(error instanceof Error ? error : new Error(String(error)));
        }
        turn();
      };
      // A tick begins when no microtask is left: everything that was set off is over by then.
      const turn = (): void => queueMicrotask(() => process.nextTick(step));
      turn();
    });
  }

  private next(limit: number): Event | undefined {
    for (let [top] = this.heap; top && top.time <= limit; [top] = this.heap) {
      this.pop();
      if (top.fire) return top;
    }
    return undefined;
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!earlier(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!earlier(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function earlier(one: Event, other: Event): boolean {
  return one.time < other.time || (one.time === other.time && one.seq < other.seq);
}
