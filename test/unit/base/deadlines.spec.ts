import { Deadlines } from '../../../lib/base/shared-timer.js';
import { HandClock } from '../../support/hand-clock.js';

describe('deadlines that share a timer', () => {
  let clock: HandClock, deadlines: Deadlines, missed: string[];
  beforeEach(() => {
    clock = new HandClock();
    deadlines = new Deadlines(clock);
    missed = [];
  });
  /** What it returns is called when the command is answered. */
  function add(name: string, ms: number, then?: () => void): () => void {
    const missedNow = (): void => {
      missed.push(name);
      then?.();
    };
    const link = { linked: false, before: undefined, after: undefined };
    const command = { deadline: clock.now() + ms, missed: missedNow, ...link };
    deadlines.add(command);
    return () => deadlines.delete(command);
  }

  it('tells of those that pass, each at its time', () => {
    add('second', 20);
    add('first', 10);
    add('third', 30);
    clock.pass(9);
    expect(missed).toEqual([]);
    clock.pass(1);
    expect(missed).toEqual(['first']);
    clock.pass(10);
    expect(missed).toEqual(['first', 'second']);
    clock.pass(10);
    expect(missed).toEqual(['first', 'second', 'third']);
    expect(clock.timers.size).toBe(0);
  });

  it('set one timer for thousands of commands that are answered', () => {
    for (let at = 0; at < 5_000; at += 1) {
      add('met', 1_000)();
      if (at % 1_000 === 0) clock.pass(1);
    }
    expect(clock.set).toBe(1);
    clock.pass(1_000);
    expect(missed).toEqual([]);
    expect(clock.timers.size).toBe(0);
  });

  it('watch those that are left when the earliest was met', () => {
    const met = add('met', 10);
    add('late', 50);
    met();
    clock.pass(10);
    clock.pass(39);
    expect(missed).toEqual([]);
    clock.pass(1);
    expect(missed).toEqual(['late']);
  });

  it('leave a timer for no longer than a second when they are met', () => {
    add('met', 86_400_000)();
    clock.pass(1_000);
    expect(clock.timers.size).toBe(0);
    add('open', 2_500);
    for (const ms of [1_000, 1_000, 499]) clock.pass(ms);
    expect(missed).toEqual([]);
    clock.pass(1);
    expect(missed).toEqual(['open']);
    expect(clock.timers.size).toBe(0);
  });

  it.each([800, 10_000])('are told in time when the clock has jumped by %d ms', (by) => {
    add('before', 5_000);
    clock.jump(by);
    add('after', 500);
    const before = by > 5_000 ? ['before'] : [];
    for (const ms of [1, 498]) clock.pass(ms);
    expect(missed).toEqual(before);
    clock.pass(1);
    expect(missed).toEqual([...before, 'after']);
  });

  it('may be added when one is missed', () => {
    add('first', 10, () => add('next', 5));
    add('last', 100);
    clock.pass(10);
    clock.pass(5);
    expect(missed).toEqual(['first', 'next']);
    clock.pass(85);
    expect(missed).toEqual(['first', 'next', 'last']);
  });

  it('leave no timer when they are closed and the last command is answered', () => {
    const answered = add('open', 10);
    deadlines.close();
    expect(clock.timers.size).toBe(1);
    answered();
    expect(clock.timers.size).toBe(0);
    add('late', 10)();
    deadlines.close();
    expect(clock.timers.size).toBe(0);
  });
});
