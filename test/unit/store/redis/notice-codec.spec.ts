import fc from 'fast-check';
import { decodeNotice } from '../../../../lib/store/redis/notice-codec.js';
import { decodedText } from '../../../../lib/store/redis/state-codec.js';

/** What a grant looks like, as a pattern says it. */
const GRANT =
  /^g ([^ ]+) (\d+) (\d+|=) (\d+) (\d+) ([01]) ([01]) (?=[^ ])([^ @#~]*)(?:~[^ @#]*)?(?:@([^ #]*))?(?:#([^ ]*))? ([^]+)$/;

function grantBy(pattern: RegExp, message: string): unknown {
  const found = pattern.exec(message);
  if (!found) return undefined;
  const [, id, at, from, span, size, contended, done, seal, server, note, key] = found;
  const first = Number(from === '=' ? at : from);
  const fences = { first, last: first + Number(size) - 1 };
  const times = { until: Number(at) + Number(span), span: Number(span) };
  const flags = { contended: contended === '1', done: done === '1' };
  return {
    key,
    notice: {
      kind: 'granted',
      id,
      ...fences,
      ...times,
      ...flags,
      seal,
      ...(server !== undefined && { server }),
      ...(note !== undefined && { note: decodedText(note) }),
    },
  };
}

describe('a notice in a message of the channel', () => {
  const word = fc.constantFrom(
    '=',
    '0',
    '1',
    '2',
    '17',
    '1700000000000001',
    '-1',
    '1.5',
    '1e3',
    'x',
    '',
    '==',
  );
  const number = fc.constantFrom('1', '2000000', '1700000000000001', '=', 'x');
  const flag = fc.constantFrom('0', '1', '1', '2');
  const name = fc.constantFrom(
    's.id',
    'seal',
    'seal@server',
    'seal@',
    'seal#row%207@x',
    'seal@server#%',
    'seal~name:s.id:1700000000000001:1:0:-1@server#row~7',
    '~',
    'seal@server~1',
    '#',
    '@',
    'a@b@c',
    'lock:x',
    'lock:a name with spaces',
    'line\nbreak',
    '',
  );
  const likely = fc
    .tuple(name, number, number, number, number, flag, flag, name, name)
    .map((parts) => `g ${parts.join(' ')}`);
  const unlikely = fc.array(fc.oneof(word, name), { maxLength: 11 }).map((words) => `g ${words.join(' ')}`);

  it('is read as its pattern says, whatever anybody publishes', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(likely, unlikely, fc.string()), (message) => {
        const expected = message.startsWith('g ') ? grantBy(GRANT, message) : undefined;
        if (expected) read += 1;
        else if (!message.startsWith('g')) return;
        expect(decodeNotice(message)).toEqual(expected);
      }),
      { numRuns: 20_000 },
    );
    expect(read).toBeGreaterThan(100);
  });
});
