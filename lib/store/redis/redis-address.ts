import { LockUsageError } from '../../base/errors.js';
import { shown } from '../../base/duration.js';
import type { RedisOptions } from 'ioredis';
import { kindOfOption } from './redis-source.js';

/**
 * The options that a URL stands for, including those of its query.
 *
 * @throws LockUsageError that names the option and, without its password, the value
 */
export function optionsInUrl(url: string): RedisOptions {
  const parsed = parsedUrl(url);
  const options: Record<string, unknown> = {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    ...(parsed.port && { port: Number(parsed.port) }),
    ...((parsed.username || parsed.password) && {
      username: decoded(parsed.username),
      password: decoded(parsed.password),
    }),
    ...(parsed.pathname.length > 1 && { db: Number(parsed.pathname.slice(1)) }),
    ...(/^(redis|valkey)s:$/.test(parsed.protocol) && { tls: {} }),
  };
  for (const [key, text] of parsed.searchParams) options[key] ??= optionInQuery(key, text);
  return options;
}

function parsedUrl(url: string): URL {
  let parsed: URL | undefined;
  try {
    parsed = new URL(url);
  } catch {
    // Reported below.
  }
  if (
    parsed &&
    /^(redis|valkey)s?:$/.test(parsed.protocol) &&
    parsed.hostname !== '' &&
    /^\/?\d*$/.test(parsed.pathname)
  )
    return parsed;
  throw new LockUsageError(
    `The option redis takes a URL such as 'redis://localhost:6379' or 'rediss://…', or the options or a client ` +
      `of ioredis; it was ${shownSource(url)}.`,
  );
}

/** The value of one part of a URL's query, as the option of that name takes it. */
function optionInQuery(key: string, text: string): unknown {
  const kind = kindOfOption(key);
  const refuse = (what: string): never => {
    throw new LockUsageError(`In the URL of the option redis, ${key} takes ${what}.`); // its value may be a secret
  };
  switch (kind) {
    case 'number':
      return /^-?\d+$/.test(text) ? Number(text) : refuse('a whole number');
    case 'boolean':
      return /^(true|false|1|0)$/.test(text) ? text === 'true' || text === '1' : refuse('true or false');
    case 'text':
      return text;
    case 'tls': // the name of a profile of ioredis, or whether to use TLS at all
      return text === 'false' ? undefined : text === 'true' ? {} : text;
    case 'other':
      return refuse('no text: give the options of ioredis as an object');
    default:
      return text; // its key is refused with those of an object
  }
}

/** Piece by piece: a percent sign that was not written as %25 stands for itself. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (piece) => {
    try {
      return decodeURIComponent(piece);
    } catch {
      return piece;
    }
  });
}

/** What messages call the server: no user, no password. */
export function addressOf(options: RedisOptions): string {
  if (options.sentinels)
    return `sentinel '${options.name ?? ''}' at ${options.sentinels
      .map(({ host, port }) => `${host ?? 'localhost'}:${port ?? 26379}`)
      .join(', ')}`;
  if (options.path) return `unix:${options.path}`;
  const scheme = options.tls ? 'rediss' : 'redis';
  const host = options.host ?? 'localhost';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${options.port ?? 6379}/${options.db ?? 0}`;
}

/**
 * Refuses a URL, or a user and password, in the place of a host, a port or a path: messages show those.
 *
 * @throws LockUsageError that names the option, and not its value
 */
export function checkPlaces(places: readonly Pick<RedisOptions, 'host' | 'port' | 'path'>[]): void {
  for (const place of places)
    for (const key of ['host', 'port', 'path'] as const)
      if ((key === 'path' ? /:\/\// : /:\/\/|@/).test(String(place?.[key] ?? '')))
        throw new LockUsageError(
          `The option redis has a URL, or a user and a password, as its ${key}. Give a URL by itself, as in ` +
            "redis: 'redis://…', or { host, port, username, password }.",
        );
}

/** Something that leads to no Redis as an error message shows it: without what may be a password in it. */
export function shownSource(value: unknown): string {
  return shown(typeof value === 'string' ? openPartOf(value) : value);
}

/**
 * The part of a URL that may be shown, even of a malformed one: nothing before the last @, nothing after a question
 * mark, and nothing after a colon but a port.
 */
function openPartOf(url: string): string {
  const open = url.replace(/^([a-z][a-z0-9+.-]*:\/\/|).*@/is, '$1***@').replace(/\?.*/s, '?***');
  return open.replace(/(^|\/\/):.*|:(?!\/\/|\d{1,5}(?:[/,?]|$)).*/s, '$1:***');
}

/** The text without any user:password before an @. */
export function withoutCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:)?\/\/[^/\s]*@/gi, '$1//***@');
}
