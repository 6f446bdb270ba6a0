import { newAttemptId, newSession } from '../../../lib/store/session-id.js';
import { sessionOf } from '../../../lib/store/lock-machine.js';

describe('session and attempt ids', () => {
  it('a session is 22 characters of base64url, a new one each time', () => {
    const sessions = Array.from({ length: 1_000 }, newSession);
    for (const session of sessions) expect(session).toMatch(/^[\w-]{22}$/);
    expect(new Set(sessions).size).toBe(1_000);
  });

  it('an attempt id names its session and is never used twice, over many refills of the pool', () => {
    const session = newSession();
    const ids = Array.from({ length: 5_000 }, () => newAttemptId(session));
    for (const id of ids) expect(id.slice(session.length)).toMatch(/^\.[\w-]{12}$/);
    expect(new Set(ids.map(sessionOf))).toEqual(new Set([session]));
    expect(new Set(ids).size).toBe(5_000);
  });
});
