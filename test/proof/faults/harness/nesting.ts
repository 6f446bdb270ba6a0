import type { Book } from './book.js';
import type { EntryWay } from './contender.js';
import type { Random } from './random.js';

/**
 * Works inside a hold in one of the ways in which programs do, or not at all: by handle or by context, one entry after
 * another or side by side, nested deeper, awaited or not. Whoever calls it gives the hold back next.
 */
export async function nest(
  book: Book,
  hold: string,
  random: Random,
  work: () => Promise<void>,
): Promise<void> {
  if (random.next() < 0.6) return;
  const begin = (of = hold): Promise<void> => {
    const by: EntryWay = random.next() < 0.5 ? 'handle' : 'context';
    return book.enter(of, by, async (id) => {
      await work();
      if (random.next() >= 0.3) return;
      const deeper = begin(id);
      if (random.next() < 0.5) await deeper;
    });
  };
  const entries = Array.from({ length: random.whole(1, 3) }, () => begin());
  if (random.next() < 0.5) await Promise.all(entries);
}
