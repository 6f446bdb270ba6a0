import { TestEnvironment } from 'jest-environment-node';

const PATIENCE = 10_000;
const TIME_BOUND = 'toTakeLessThan';
const RETRIES = 2;
const EVENTS = ['SIGTERM', 'SIGINT', 'exit', 'uncaughtException', 'unhandledRejection', 'warning'];

/** Settings of jest-circus; `jest.retryTimes` sets them, too. */
const RETRY = {
  [Symbol.for('RETRY_TIMES')]: RETRIES,
  [Symbol.for('RETRY_IMMEDIATELY')]: true,
};

/**
 * Runs a test again that has broken a time bound (test/support/time-bounds) and nothing else: a machine can be late
 * in ways that no clock of this process shows, so a bound counts as broken when it is broken three times in a row.
 * Whatever else goes wrong counts at once, whatever later runs do.
 *
 * Fails a file of tests that leaves something behind in its process: a timer, a socket, a server or a child process
 * that keeps it alive, or a listener of the process. What is closing has a moment to be closed.
 */
export default class CleanEnvironment extends TestEnvironment {
  /** Each with an error that was made beside it, and knows where. */
  timers = new Map();

  async setup() {
    await super.setup();
    Object.assign(this.global, RETRY);
    for (const make of ['setTimeout', 'setInterval']) {
      const original = this.global[make];
      const watched = (...args) => {
        const timer = original(...args);
        if (this.timers.size > 1_000) this.forgetEndedTimers();
        this.timers.set(timer, new Error('made'));
        return timer;
      };
      this.global[make] = Object.defineProperties(watched, Object.getOwnPropertyDescriptors(original));
    }
  }

  async handleTestEvent({ name, test }) {
    if (name === 'test_done') keepWhatIsNoDelay(test);
    // These are made at the first look, and libraries look at them.
    void [process.stdin, process.stdout, process.stderr];
    if (name === 'setup') this.before = this.inventory();
    if (name !== 'run_finish') return;
    let left = this.surplus();
    for (const end = performance.now() + PATIENCE; left.length > 0 && performance.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      left = this.surplus();
    }
    if (left.length === 0) return;
    const places = [...this.timers.values()].map(
      ({ stack }) => `\nA timer was ${stack.replace('Error: ', '')}`,
    );
    throw new Error(`Left behind by the tests of this file: ${left.join(', ')}.${places.join('')}`);
  }

  surplus() {
    return [...this.inventory()]
      .map(([kind, count]) => [kind, count - (this.before.get(kind) ?? 0)])
      .filter(([, more]) => more > 0)
      .map(([kind, more]) => `${more} × ${kind}`);
  }

  inventory() {
    const { process: inside } = this.global; // the tests see a copy
    this.forgetEndedTimers();
    const counts = new Map([['timer', this.timers.size]]);
    for (const event of EVENTS) counts.set(`listener of ${event}`, inside.listenerCount(event));
    for (const kind of process.getActiveResourcesInfo())
      if (kind !== 'Timeout') counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts;
  }

  forgetEndedTimers() {
    for (const timer of this.timers.keys())
      if (timer._destroyed || !timer.hasRef()) this.timers.delete(timer);
  }
}

/** A run that went wrong by more than a delay is the last one: what would be run again fails with the same error. */
function keepWhatIsNoDelay(test) {
  if (test.errors.length === 0) return;
  // Each with the place of the test; one of node:assert was made a text by itself before.
  const errors = test.errors.map((error) => (Array.isArray(error) ? error[0] : error));
  const graver = errors.findIndex((error) => error?.matcherResult?.name !== TIME_BOUND);
  if (graver >= 0)
    test.fn = () => {
      throw errors[graver];
    };
  else
    process.stderr.write(
      `time bound broken in run ${test.invocations} of '${test.name}': ${errors[0].message}\n`,
    );
}
