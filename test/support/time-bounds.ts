declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- jest declares its matchers so
  namespace jest {
    interface Matchers<R> {
      /**
       * That it took fewer milliseconds than `most` and the delays of this machine that the test measured meanwhile.
       * What breaks such a bound alone is run again, at most twice: see clean-environment.
       */
      toTakeLessThan(most: number, ...delays: number[]): R;
    }
  }
}

expect.extend({
  toTakeLessThan(took: number, most: number, ...delays: number[]) {
    const parts = [most, ...delays].map((ms) => ms.toFixed(1)).join(' + ');
    return {
      // NaN passes no bound.
      pass: took < most + delays.reduce((sum, delay) => sum + delay, 0),
      message: () => `It took ${took.toFixed(1)} ms; the bound and the measured delays are ${parts} ms.`,
      name: 'toTakeLessThan',
    };
  },
});
