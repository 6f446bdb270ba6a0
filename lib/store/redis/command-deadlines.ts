import { Chain, type Link } from '../../base/chain.js';
import type { CancelTimer, Clock } from '../../base/clock.js';

/** A command in flight. */
export interface Deadline extends Link<Deadline> {
  /** Local time at which it is missed. */
  readonly deadline: number;
  missed(): void;
}

/**
 * The deadlines of commands in flight. Nearly all of them are met, so they share one timer: it is set for the earliest
 * that it knew, stays when that one is met, and is set again for whatever is open when it fires.
 */
export class CommandDeadlines {
  private readonly open = new Chain<Deadline>();
  private setFor = Infinity;
  private cancelTimer: CancelTimer | undefined;
  private closed = false;

  constructor(private readonly clock: Clock) {}

  /** Tells the command when its deadline passes, unless it is removed before. */
  add(command: Deadline): void {
    this.open.add(command);
    if (command.deadline < this.setFor) this.set(command.deadline, this.clock.now());
  }

  delete(command: Deadline): void {
    this.open.remove(command);
    if (this.closed) this.endTimer();
  }

  /** No timer is left when the last command is answered. */
  close(): void {
    this.closed = true;
    this.endTimer();
  }

  private set(at: number, now: number): void {
    this.cancelTimer?.();
    this.setFor = at;
    this.cancelTimer = this.clock.after(at - now, () => this.fire());
  }

  private fire(): void {
    this.setFor = Infinity;
    const now = this.clock.now();
    let next = Infinity;
    const missed: Deadline[] = [];
    for (let command = this.open.first; command; command = command.after) {
      if (command.deadline > now) next = Math.min(next, command.deadline);
      else missed.push(command);
    }
    for (const command of missed) {
      // Not if it was ended by what another one led to.
      if (this.open.remove(command)) command.missed();
    }
    // What a missed deadline led to may have set the timer already.
    if (next < this.setFor) this.set(next, now);
  }

  private endTimer(): void {
    if (this.open.size > 0) return;
    this.cancelTimer?.();
    this.setFor = Infinity;
  }
}
