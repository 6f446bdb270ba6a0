import { LockUsageError } from '../../base/lock-usage-error.js';
import { shown } from '../../base/duration.js';
import type { RedisOptions } from 'ioredis';

/** Checks a Redis URL. @throws LockUsageError that names the option and, without its password, the value. */
export function checkUrl(url: string): string {
  let parsed: URL | undefined;
  try {
    parsed = new URL(url);
  } catch {
    // reported below
  }
  const known = parsed?.protocol === 'redis:' || parsed?.protocol === 'rediss:';
  if (known && parsed?.hostname !== '' && /^\/?\d*$/.test(parsed?.pathname ?? '')) return url;
  throw new LockUsageError(
    `The option redis takes a URL such as 'redis://localhost:6379' or 'rediss://…', or the options or a client ` +
      `of ioredis; it was ${shown(openPartOf(url))}.`,
  );
}

/** What messages call the server: no user, no password. */
export function addressOf(options: RedisOptions): string {
  if (options.sentinels)
    return `sentinel '${options.name ?? ''}' at ${options.sentinels
      .map(({ host, port }) => `${host ?? 'localhost'}:${port ?? 26379}`)
      .join(', ')}`;
  if (options.path) return `unix:${options.path}`;
  const scheme = options.tls ? 'rediss' : 'redis';
  return `${scheme}://${options.host ?? 'localhost'}:${options.port ?? 6379}/${options.db ?? 0}`;
}

/** What of a URL, however wrong, may be shown: nothing before the last @, nothing after a question mark. */
function openPartOf(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/|).*@/is, '$1***@').replace(/\?.*/s, '?***');
}

/** A text with every user:password before an @ blotted out. */
export function withoutCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:)?\/\/[^/\s]*@/gi, '$1//***@');
}
