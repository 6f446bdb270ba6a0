import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { LockServiceOptions } from '../plain.js';
import { type CommandError, usage } from './command-error.js';
import type { Place } from './command-line.js';

/** What of the options of an application says where its locks are. */
export type Where = Pick<LockServiceOptions, 'redis' | 'namespace'> & {
  /** What else decides which commands its locks send, and so which rights they need. */
  readonly demands?: Pick<LockServiceOptions, 'clientTracking' | 'durability' | 'fenceMemory'>;
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the locks are.
 *
 * @throws CommandError when nothing says so, or several things do
 */
export async function whereIn(place: Place, env: Environment): Promise<Where> {
  const { config, sentinel, cluster } = place;
  const given = Object.entries({ config, sentinel, cluster }).filter(([, value]) => value !== undefined);
  if (given.length > 1)
    throw usage(
      `Give one of ${given.map(([option]) => `--${option}`).join(' and ')}: each says where the locks are.`,
    );
  if (place.name !== undefined && sentinel === undefined)
    throw usage('The option --name goes with --sentinel.');
  const direct = sentinel === undefined && cluster === undefined;
  if (place.tls && direct)
    throw usage('The option --tls goes with --sentinel and --cluster; a URL says rediss://.');
  const where = config === undefined ? { redis: redisOf(place, env) } : await configured(config);
  return { ...where, ...(place.namespace !== undefined && { namespace: place.namespace }) };
}

function redisOf({ sentinel, cluster, name, tls }: Place, env: Environment): NonNullable<Where['redis']> {
  const secure = tls ? { tls: {} } : {};
  const user = withoutEmpty({ username: env['REDIS_USERNAME'], password: env['REDIS_PASSWORD'] });
  if (sentinel !== undefined) {
    if (!name)
      throw usage('The option --sentinel takes --name, which is what the sentinels call the master.');
    const ofSentinels = withoutEmpty({
      sentinelUsername: env['REDIS_SENTINEL_USERNAME'],
      sentinelPassword: env['REDIS_SENTINEL_PASSWORD'],
    });
    const more = tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {};
    return {
      sentinels: addressesIn('sentinel', sentinel, 26_379),
      name,
      ...user,
      ...ofSentinels,
      ...secure,
      ...more,
    };
  }
  if (cluster !== undefined)
    return {
      cluster: addressesIn('cluster', cluster, 6_379),
      options: { redisOptions: { ...user, ...secure } },
    };
  const url = env['REDIS_URL'];
  if (!url) throw usage('Say where the locks are: set REDIS_URL, or give --config, --sentinel or --cluster.');
  if (url === 'memory') throw inMemory('REDIS_URL');
  return withUser(url, user);
}

/** The URL with the user of the environment, unless it names one itself. */
function withUser(url: string, { username, password }: { username?: string; password?: string }): string {
  if (password === undefined || !URL.canParse(url)) return url;
  const parsed = new URL(url);
  if (parsed.password !== '') return url;
  // The parts of a URL are written as in a URL.
  if (username !== undefined && parsed.username === '') parsed.username = encodeURIComponent(username);
  parsed.password = encodeURIComponent(password);
  return parsed.href;
}

function addressesIn(option: string, text: string, port: number): { host: string; port: number }[] {
  return text.split(',').map((each) => {
    const [, six, four, number = String(port)] =
      /^(?:\[([^\]]+)\]|([^:[\]@/\s]+))(?::(\d{1,5}))?$/.exec(each.trim()) ?? [];
    const host = six ?? four;
    if (host === undefined || Number(number) > 65_535) throw wrongAddress(option);
    return { host, port: Number(number) };
  });
}

function inMemory(source: string): CommandError {
  return usage(
    `The locks of ${source} live in the memory of each process, so no other process can see them.`,
  );
}

/** Does not show what was given, since there may be a password in it. */
function wrongAddress(option: string): CommandError {
  return usage(
    `The option --${option} takes addresses such as 10.0.0.1:6379,10.0.0.2:6379, without a user and a password: those are ` +
      'read from REDIS_USERNAME and REDIS_PASSWORD.',
  );
}

/** The options in a file. No message repeats what is in it, since that may be a password. */
async function configured(file: string): Promise<Where> {
  const path = resolve(file);
  let found: unknown;
  try {
    found = path.endsWith('.json') ? JSON.parse(readFileSync(path, 'utf8')) : createRequire(path)(path);
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    throw usage(`The file '${file}' of --config cannot be read (${code ?? name}).`);
  }
  const exported = withDefault(found);
  const options: unknown =
    typeof exported === 'function' ? await made(exported as () => unknown, file) : exported;
  if (typeof options !== 'object' || options === null)
    throw usage(
      `The file '${file}' of --config gives no object with options, such as { redis: 'redis://…' }.`,
    );
  const { redis } = options as LockServiceOptions;
  if (redis === undefined || redis === '' || redis === null)
    throw usage(`The file '${file}' of --config gives no option redis, such as { redis: 'redis://…' }.`);
  if (redis === 'memory') throw inMemory(`'${file}'`);
  return {
    ...given(options, 'redis', 'namespace'),
    demands: given(options, 'clientTracking', 'durability', 'fenceMemory'),
  };
}

/** What the function of a file makes. */
async function made(make: () => unknown, file: string): Promise<unknown> {
  try {
    return await make();
  } catch (error) {
    const { code, name = typeof error } = Object(error) as NodeJS.ErrnoException;
    throw usage(`The function in the file '${file}' of --config has failed (${code ?? name}).`);
  }
}

/** Those of these options that are given. */
function given<K extends keyof LockServiceOptions>(
  options: LockServiceOptions,
  ...names: readonly K[]
): Pick<LockServiceOptions, K> {
  const found = names.filter((name) => options[name] !== undefined);
  return Object.fromEntries(found.map((name) => [name, options[name]])) as Pick<LockServiceOptions, K>;
}

/** The default export of a module, of either kind, or all that it exports. */
function withDefault(module: unknown): unknown {
  const { default: first } = (module ?? {}) as { default?: unknown };
  const { default: inner } = (first ?? {}) as { default?: unknown };
  return inner ?? first ?? module;
}

function withoutEmpty<K extends string>(values: Record<K, string | undefined>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value)) as Partial<
    Record<K, string>
  >;
}
