import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

type State = 'running' | 'paused' | 'killed';

/** Whether a process runs. While it is stopped, its timers and what it is sent are held up; time goes on. */
export class Life {
  private state: State = 'running';
  private readonly timers: (() => void)[] = [];
  private readonly messages: (() => void)[] = [];

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
  ) {}

  get killed(): boolean {
    return this.state === 'killed';
  }

  get running(): boolean {
    return this.state === 'running';
  }

  /** Runs `fire` in the process: now, when it goes on, or never. */
  enter(fire: () => void, held: 'timer' | 'message' = 'message'): void {
    if (this.state === 'running') fire();
    else if (this.state === 'paused') (held === 'timer' ? this.timers : this.messages).push(fire);
  }

  pause(): void {
    if (this.state === 'running') this.state = 'paused';
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    const timersFirst = this.random.chance(0.7);
    const [timers, messages] = [this.timers.splice(0), this.messages.splice(0)];
    for (const fire of timersFirst ? [...timers, ...messages] : [...messages, ...timers])
      this.timeline.after(0, () => this.enter(fire));
  }

  kill(): void {
    this.state = 'killed';
    this.timers.length = this.messages.length = 0;
  }
}
