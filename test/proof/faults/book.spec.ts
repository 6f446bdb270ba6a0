import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Book } from './harness/book.js';
import type { Claim, Contender } from './harness/contender.js';
import { HistoryFile, monotonic, type HistoryEvent } from './harness/history.js';
import { until } from '../../support/eventually.js';

describe('the book of what a process holds', () => {
  const directory = mkdtempSync(join(tmpdir(), 'book-'));
  const path = join(directory, 'history.ndjson');
  const history = new HistoryFile(path);
  afterAll(() => {
    history.close();
    rmSync(directory, { recursive: true });
  });

  it('claims nothing for later when the process is stopped between the question and the answer', async () => {
    const deadline = monotonic() + 300;
    const claim: Claim = {
      fence: 1,
      held() {
        const held = monotonic() < deadline;
        if (held && monotonic() > deadline - 60) while (monotonic() < deadline + 20); // stopped here
        return held;
      },
      remaining: () => Math.max(0, deadline - monotonic()),
      assertHeld: () => undefined,
      onLoss: () => undefined,
      renew: () => Promise.resolve(),
      release: () => Promise.resolve('released' as const),
    };
    const contender = { acquire: () => Promise.resolve(claim) } as unknown as Contender;
    const book = new Book(history, 'p', contender);
    await book.take('name', { ttl: 100 } as never);
    await until('the loss was seen', () => events().some((event) => event.type === 'sample' && !event.held));
    book.stop();
    const samples = events().filter((event) => event.type === 'sample' && event.held);
    expect(samples.length).toBeGreaterThan(0);
    for (const { at, until: end } of samples as { at: number; until: number }[])
      expect(Math.max(at, end)).toBeLessThanOrEqual(deadline + 1);
  });

  const events = (): HistoryEvent[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as HistoryEvent);
});
