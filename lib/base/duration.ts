import { LockUsageError } from './errors.js';

/**
 * A span of time: milliseconds as a number, or `'250ms' | '10s' | '5m' | '1h'`.
 *
 * @publicApi
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h'}`;

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** The allowed range of one option, in milliseconds; `infinite` also allows Infinity. */
export interface DurationRange {
  readonly option: string;
  readonly min: number;
  readonly max: number;
  readonly infinite?: boolean;
}

/**
 * Milliseconds of a duration within a range.
 *
 * @throws LockUsageError that names the option, the range and the value.
 */
export function milliseconds(value: unknown, range: DurationRange): number {
  const ms = typeof value === 'number' ? value : parsed(value);
  if (ms === Infinity && range.infinite) return ms;
  if (ms >= range.min && ms <= range.max) return ms;
  const infinite = range.infinite ? ' (or Infinity)' : '';
  throw new LockUsageError(
    `The option ${range.option} takes ${spelled(range.min)} to ${spelled(range.max)}${infinite}, as milliseconds ` +
      `or as '250ms', '10s', '5m', '1h'; it was ${shown(value)}.`,
  );
}

/** A span in the largest unit that writes it without a fraction: 1500 → '1500ms', 10000 → '10s'. */
export function spelled(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const)
    if (ms !== 0 && ms % UNITS[unit] === 0) return `${ms / UNITS[unit]}${unit}`;
  return `${ms}ms`;
}

/** A value as an error message shows it: short, and with its type visible. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value.length > 64 ? `'${value.slice(0, 61)}…'` : `'${value}'`;
  if (typeof value === 'number' || value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

function parsed(value: unknown): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value) : null;
  return match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : NaN;
}
