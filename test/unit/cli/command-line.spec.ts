import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandError } from '../../../lib/cli/command-error.js';
import { type Command, commandIn, HELP } from '../../../lib/cli/command-line.js';
import { whereIn, type Where } from '../../../lib/cli/connection.js';
import { failureOf } from '../../support/eventually.js';

const refusal = (...args: string[]): string => {
  try {
    commandIn(args);
  } catch (error) {
    expect(error).toMatchObject({ exitCode: 2 });
    return (error as CommandError).message;
  }
  throw new Error('It was not refused.');
};

describe('the command line', () => {
  it('says what to do, of which name, and how', () => {
    expect(commandIn(['show', 'stock:42', '--json'])).toMatchObject({
      verb: 'show',
      name: 'stock:42',
      json: true,
    });
    expect(commandIn(['revoke', 'a b', '--reason', 'stuck', '--force', '-y'])).toMatchObject({
      ...{ verb: 'revoke', name: 'a b', reason: 'stuck', force: true, yes: true },
    });
    expect(commandIn(['watch'])).toMatchObject({ verb: 'watch', name: undefined, every: 2, times: Infinity });
    expect(commandIn(['watch', 'x', '--every=5', '--times', '3'])).toMatchObject({ every: 5, times: 3 });
    expect(commandIn(['show', '--', '--odd-name'])).toMatchObject({ name: '--odd-name' });
    for (const args of [[], ['--help'], ['ls', '-h']]) expect(commandIn(args)).toBeUndefined();
  });

  it.each([
    [['list'], /^The command is one of ls, show, watch, revoke, doctor; it was 'list'/],
    [['--json'], /^The command is one of/],
    [['show'], /^show takes the name of a lock/],
    [['show', 'a', 'b'], /^show takes one name; quote a name that has spaces. There is also 'b'/],
    [['ls', 'a'], /^ls takes no name; .*'a'/],
    [['revoke', 'a'], /^revoke takes --reason <text>/],
    [['revoke', 'a', '--reason', ''], /^revoke takes --reason <text>/],
    [['show', 'a', '--force'], /^show has no option --force/],
    [['ls', '--every', '3'], /^ls has no option --every/],
    [['watch', 'a', '--every', '0'], /^The option --every takes a whole number from 1 to 3600; it was '0'/],
    [['ls', '--frobnicate=secret'], /^Unknown option '--frobnicate'/],
    [['ls', '--namespace'], /--namespace/],
  ])('%j is refused with a sentence', (args, sentence) => {
    expect(refusal(...args)).toMatch(sentence);
    expect(refusal(...args)).toContain('--help says more');
  });

  it.each([
    ['ls', '--password', 'sesame'],
    ['ls', '--password=sesame'],
    ['ls', '-a', 'sesame'],
    ['ls', '-asesame'],
    ['ls', '--user', 'sesame'],
    ['ls', '--url=redis://:sesame@host'],
    ['ls', 'redis://:sesame@host'],
    ['ls', '--sentinel', 'redis://u:sesame@host', '--name', 'm'],
  ])('takes no password: %s %s', (...args) => {
    expect(refusal(...args.filter(Boolean))).toMatch(
      /^No password and no URL is taken from the command line.*REDIS_PASSWORD/,
    );
    expect(refusal(...args.filter(Boolean))).not.toContain('sesame');
  });

  it.each([
    [['show', 'mail://joe@x'], 'mail://joe@x'],
    [['show', '--', '-abc'], '-abc'],
    [['show', '--', '-urgent'], '-urgent'],
    [['show', '--', '--password'], '--password'],
    [['show', '--', 'redis://joe@x'], 'redis://joe@x'],
    [['revoke', 'mail://joe@x', '--reason', 'see https://joe@x'], 'mail://joe@x'],
    [['revoke', '--reason=-abc', 'user'], 'user'],
  ])('takes any name of a lock, and any reason: %j', (args, name) => {
    expect(commandIn(args)).toMatchObject({ name });
  });

  it('repeats no address of a word that it does not want', () => {
    for (const args of [
      ['ls', '--', 'redis://:sesame@host'],
      ['--', 'redis://:sesame@host'],
      ['show', 'x', 'http://:sesame@host'],
      ['ls', '--cluster', 'http://:sesame@host'],
    ])
      expect(refusal(...args)).not.toContain('sesame');
  });

  it('has every option in its help', () => {
    for (const option of 'config sentinel name cluster namespace tls json reason force yes every times help'.split(
      ' ',
    ))
      expect(HELP).toContain(`--${option}`);
  });
});

describe('where the locks are', () => {
  let dir: string;
  beforeAll(() => (dir = mkdtempSync(join(tmpdir(), 'lock-config-'))));
  afterAll(() => rmSync(dir, { recursive: true }));

  const where = (args: readonly string[], env: Record<string, string> = {}): Promise<Where> =>
    whereIn((commandIn(['ls', ...args]) as Command).place, env);
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  it('is said by REDIS_URL, with the user of the environment unless it names one', async () => {
    expect(await where([], { REDIS_URL: 'redis://h:1' })).toEqual({ redis: 'redis://h:1' });
    expect(await where(['--namespace', 'shop'], { REDIS_URL: 'redis://h', REDIS_PASSWORD: 'p@:/%' })).toEqual(
      {
        redis: 'redis://:p%40%3A%2F%25@h',
        namespace: 'shop',
      },
    );
    const user = { REDIS_USERNAME: 'u', REDIS_PASSWORD: 'p' };
    expect(await where([], { REDIS_URL: 'rediss://h:1/3', ...user })).toEqual({
      redis: 'rediss://u:p@h:1/3',
    });
    expect(await where([], { REDIS_URL: 'redis://a:b@h', ...user })).toEqual({ redis: 'redis://a:b@h' });
  });

  it('is said by sentinels, or by nodes of a cluster', async () => {
    const env = { REDIS_PASSWORD: 'p', REDIS_SENTINEL_PASSWORD: 's', REDIS_URL: 'redis://unused' };
    expect(await where(['--sentinel', 'a,b:26380, [::1]:7', '--name', 'mymaster', '--tls'], env)).toEqual({
      redis: {
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 26380 },
          { host: '::1', port: 7 },
        ],
        name: 'mymaster',
        password: 'p',
        sentinelPassword: 's',
        tls: {},
        sentinelTLS: {},
        enableTLSForSentinelMode: true,
      },
    });
    expect(await where(['--cluster', '10.0.0.1:7000,n2'], env)).toEqual({
      redis: {
        cluster: [
          { host: '10.0.0.1', port: 7000 },
          { host: 'n2', port: 6379 },
        ],
        options: { redisOptions: { password: 'p' } },
      },
    });
  });

  it('is said by a file: JSON, or a module with the options or a function that makes them', async () => {
    const place = { redis: { host: 'h', password: 'p' }, namespace: 'shop' };
    const demands = { fenceMemory: 0 };
    const options = { ...place, ...demands, ttl: '5s' };
    const wanted = { ...place, demands };
    const text = JSON.stringify(options);
    for (const config of [
      file('a.json', text),
      file('b.cjs', `module.exports = ${text}`),
      file('d.cjs', `module.exports = async () => (${text})`),
      file('e.cjs', `exports.default = ${text}; exports.__esModule = true;`),
    ])
      expect(await where(['--config', config])).toEqual(wanted);
    expect(await where(['--config', file('f.json', text), '--namespace', 'x'])).toMatchObject({
      namespace: 'x',
    });
  });

  it.each([
    [[], /^Say where the locks are: set REDIS_URL/],
    [['--sentinel', 'a', '--cluster', 'b'], /^Give one of --sentinel and --cluster/],
    [['--sentinel', 'a'], /^The option --sentinel takes --name/],
    [['--name', 'a'], /^The option --name goes with --sentinel/],
    [['--tls'], /^The option --tls goes with/],
    [['--cluster', 'user:sesame@host'], /^The option --cluster takes addresses/],
    [['--cluster', 'host:70000'], /^The option --cluster takes addresses/],
    [['--sentinel', '', '--name', 'm'], /^The option --sentinel takes addresses/],
    [['--config', '/no/such/file.json'], /of --config cannot be read \(ENOENT\)/],
  ])('%j is refused with a sentence', async (args, sentence) => {
    const { message } = await failureOf<Error>(where(args));
    expect(message).toMatch(sentence);
    expect(message).not.toContain('sesame');
  });

  it('is not said by the word memory: those locks cannot be seen from here', async () => {
    const error = await failureOf<CommandError>(where([], { REDIS_URL: 'memory' }));
    expect(error).toMatchObject({ exitCode: 2 });
    expect(error.message).toMatch(/^The locks of REDIS_URL live in the memory of each process/);
  });

  it('repeats nothing of a file that it cannot use', async () => {
    for (const [name, text] of [
      ['bad.json', '{ "redis": redis://:sesame@h }'],
      ['bad.cjs', 'throw new Error("sesame")'],
      ['throws.cjs', 'module.exports = () => { throw new TypeError("sesame"); }'],
      ['rejects.cjs', 'module.exports = () => Promise.reject("sesame")'],
      ['empty.json', '{ "password": "sesame" }'],
      ['memory.json', '{ "redis": "memory" }'],
      ['text.json', '"sesame"'],
    ] as const) {
      const error = await failureOf<CommandError>(where(['--config', file(name, text)]));
      expect(error).toMatchObject({ exitCode: 2 });
      expect(error.message).not.toContain('sesame');
    }
  });
});
