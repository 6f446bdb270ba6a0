import { monotonic, type HistoryFile } from './history.js';

const EVERY = 5;
const WORTH_TELLING = 5;

/** How late timers are in this process: what every time bound of a run must allow. */
export class LagMeter {
  private last = monotonic();
  private worst = 0;
  private on = true;
  private readonly timer = setInterval(() => this.look(), EVERY);

  constructor(
    private readonly history: HistoryFile,
    private readonly process: string,
  ) {}

  /** Off while the process is about to be paused on purpose. */
  set measures(on: boolean) {
    this.on = on;
    this.last = monotonic();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const now = monotonic();
    const ms = now - this.last - EVERY;
    this.last = now;
    if (!this.on || ms < this.worst + WORTH_TELLING) return;
    this.worst = ms;
    this.history.add({ type: 'lag', process: this.process, ms });
  }
}
