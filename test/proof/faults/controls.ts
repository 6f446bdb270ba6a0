/** A library of which it is known that it breaks a promise in a row: the runner and the checker must see it. */
export interface Control {
  readonly contender: 'redlock' | 'redis-semaphore';
  readonly row: number;
  /** What the violation says. */
  readonly sees: RegExp;
}

const BOTH = ['redlock', 'redis-semaphore'] as const;

export const controls: readonly Control[] = [
  ...BOTH.flatMap((contender) => [
    { contender, row: 3, sees: /an acquire ends by its wait|the holder was told/ },
    { contender, row: 6, sees: /hold it at once/ },
    { contender, row: 7, sees: /not reported as held/ },
  ]),
  { contender: 'redis-semaphore', row: 25, sees: /hold it at once/ },
];
