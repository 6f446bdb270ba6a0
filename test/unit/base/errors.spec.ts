import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  LockBusyError,
  type LockBusyReason,
  type LockError,
  LockLostError,
  type LockLostReason,
  LockStoreError,
  LockUsageError,
} from '../../../lib/base/errors.js';

// By the types, so that a new reason does not compile without a place here.
const BUSY: Readonly<Record<LockBusyReason, true>> = {
  held: true,
  timeout: true,
  aborted: true,
  closed: true,
  full: true,
  deadlock: true,
};
const LOST: Readonly<Record<LockLostReason, true>> = {
  expired: true,
  taken: true,
  revoked: true,
  'max-hold': true,
  closed: true,
  released: true,
};

const busy = (reason: LockBusyReason): LockBusyError => new LockBusyError('', 'a', { reason, waited: 1 });
const lost = (reason: LockLostReason): LockLostError =>
  new LockLostError('', 'a', { reason, fence: 1, heldFor: 1 });
const errors: readonly LockError[] = [
  ...(Object.keys(BUSY) as LockBusyReason[]).map(busy),
  ...(Object.keys(LOST) as LockLostReason[]).map(lost),
  new LockStoreError(''),
  new LockUsageError(''),
];

/** The anchors that the headings of a page have. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the help of an error', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/troubleshooting.md'), 'utf8');

  it.each(errors.map((error) => [error.help, error] as const))('is a section of the page: %s', (help) => {
    const [path, anchor] = help.split('#');
    expect(path).toBe('nestjs-distributed-lock/docs/troubleshooting.md');
    expect(anchorsOf(page)).toContain(anchor);
  });

  it('is of another section for each reason', () => {
    expect(new Set(errors.map(({ help }) => help)).size).toBe(errors.length);
  });

  it('is shown when the error is printed, and stands in no message', () => {
    const error = busy('timeout').explained('And more.');
    expect(inspect(error)).toContain(
      "help: 'nestjs-distributed-lock/docs/troubleshooting.md#lock_busy-timeout'",
    );
    expect(error.message).toBe(' And more.');
    expect({ ...lost('expired').withOutcome({ result: 1 }) }).toMatchObject({
      help: expect.stringMatching(/#lock_lost-expired$/) as string,
    });
  });
});
