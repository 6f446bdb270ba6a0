import { RedisFailures } from '../../../../lib/store/redis/redis-failures.js';

describe('the words for what went wrong at a server', () => {
  const failures = new RedisFailures('redis://node-1:7000/0', ['secret']);

  it.each([
    'ERR Attempted to access a non local key in a cluster node',
    'ERR Script attempted to access keys that do not hash to the same slot',
  ])('say of a node that fails the scripts of everybody what has happened, and what helps: %s', (words) => {
    const error = failures.of('acquire', new Error(words));
    expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
    expect(error.message).toMatch(
      /redis:\/\/node-1:7000\/0 cannot be used: a script of another application named keys of several slots.*restart it/,
    );
  });

  it('say the same of a server that fails this call only as before', () => {
    expect(failures.of('acquire', new Error('ERR something else')).message).toBe(
      'Redis at redis://node-1:7000/0 failed acquire: ERR something else',
    );
  });
});
