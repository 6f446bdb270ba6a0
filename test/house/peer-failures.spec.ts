import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const TESTS = join(import.meta.dirname, '..');

/**
 * One test for each failure seen in a peer. Most begin with their number; these are told in the words of their
 * own suite.
 */
const SHOWN_BY: Record<number, readonly (readonly [file: string, words: string])[]> = {
  13: [
    [
      'contract/kinds/semaphore.ts',
      'lets as many in as it has permits, over 20 callers of one shared instance',
    ],
  ],
  28: [
    ['nest/locked-metadata.spec.ts', '28 works %s @Get, @HttpCode and @UseGuards'],
    ['nest/locked-metadata.spec.ts', '28 works %s @OnEvent'],
    ['nest/locked-metadata.spec.ts', '28 works %s @Cron'],
    ['nest/locked-metadata.spec.ts', '28 works %s @MessagePattern and @ApiOperation'],
    ['nest/locked-metadata.spec.ts', '28 keeps metadata, name, length, kind and properties of the method'],
    ['consumers/app/sums.spec.ts', '28 works %s @MessagePattern, and is locked'],
    ['consumers/app/sums.spec.ts', '28 works %s @ApiOperation'],
  ],
  29: [
    ['nest/lock-exception-filter.spec.ts', 'lets the own HttpException of a locked method pass untouched'],
    ['nest/locked.spec.ts', 'passes the own error of a method on untouched'],
  ],
  30: [
    [
      'unit/nest/locked-generator.spec.ts',
      'releases when the consumer leaves, after the generator has cleaned up',
    ],
    ['unit/nest/locked-generator.spec.ts', 'releases when the generator throws, and passes its error on'],
    [
      'unit/nest/locked-misuse.spec.ts',
      'a stream, also inside a promise, with the remedy, and does not begin it',
    ],
  ],
  31: [['nest/locked.spec.ts', 'locks an override and the inherited method that it calls once']],
  32: [
    ['nest/distributed-lock-module.spec.ts', 'fails the start of an application with @Locked methods'],
    ['nest/distributed-lock-module.spec.ts', 'fails the start when the store does not answer'],
    ['nest/locked.spec.ts', 'never runs unlocked on an instance that Nest did not make'],
  ],
  33: [['nest/locked.spec.ts', 'keeps two applications of one process apart']],
  34: [
    ['nest/distributed-lock-module.spec.ts', 'lets a running handler keep its lease, and answers at once'],
  ],
  35: [['consumers/run.mjs', '35 a minified bundle has the same keys and its scripts']],
  36: [
    ['consumers/run.mjs', "{ name: 'nest-11-cjs', nest: '^11.0.0'"],
    ['consumers/run.mjs', "{ name: 'nest-12-esm', nest: '^12.0.0'"],
    ['consumers/run.mjs', '36 the packed tarball boots and locks on Redis'],
    ['consumers/run.mjs', '36 the packed tarball gives require and import one class'],
  ],
};

/** What waits, and for what. */
const WAITS_FOR: Record<number, string> = {
  24: 'Redis Cluster: it is refused by name until there is a wing for it (bad-input.spec.ts)',
};

// The title of a test, or of a table of tests, that begins with a number.
const TITLE = /(?:\bit|\]\))\(\s*['"`](\d+) /g;
const NUMBERED = new Set(
  readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => [...readFileSync(join(TESTS, path), 'utf8').matchAll(TITLE)])
    .map(([, number]) => Number(number)),
);

describe('the failures seen in peers', () => {
  it.each(Array.from({ length: 37 }, (_, index) => index + 1))(
    '%i has a test, or a reason to wait',
    (number) => {
      expect(NUMBERED.has(number) || number in SHOWN_BY).toBe(!(number in WAITS_FOR));
      for (const [file, words] of SHOWN_BY[number] ?? [])
        expect(readFileSync(join(TESTS, file), 'utf8')).toContain(words);
    },
  );
});
