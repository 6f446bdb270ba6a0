import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { checkName, segmentOf } from '../base/name.js';

/** What may stand in a name, as for `lockName`. */
export type NamePart = string | number | bigint | boolean;

/** The parameters of a method that has a `V` at a position. */
interface AtPosition<V> {
  readonly '0': readonly [V, ...unknown[]];
  readonly '1': readonly [unknown, V, ...unknown[]];
  readonly '2': readonly [unknown, unknown, V, ...unknown[]];
  readonly '3': readonly [unknown, unknown, unknown, V, ...unknown[]];
  readonly '4': readonly [unknown, unknown, unknown, unknown, V, ...unknown[]];
  readonly '5': readonly [unknown, unknown, unknown, unknown, unknown, V, ...unknown[]];
  readonly '6': readonly [unknown, unknown, unknown, unknown, unknown, unknown, V, ...unknown[]];
  readonly '7': readonly [unknown, unknown, unknown, unknown, unknown, unknown, unknown, V, ...unknown[]];
}

/** The parameters of no method. */
type NoTemplate = readonly [never];

/** What has a part of a name under a path of properties. */
type At<Path> = Path extends `${infer Head}.${infer Rest}`
  ? { readonly [P in Head]: At<Rest> }
  : { readonly [P in Path & string]: NamePart };

type SegmentParameters<S> = S extends `{${infer Inside}}`
  ? Inside extends keyof AtPosition<unknown>
    ? AtPosition<NamePart>[Inside]
    : Inside extends `${infer Position extends keyof AtPosition<unknown>}.${infer Path}`
      ? AtPosition<At<Path>>[Position]
      : NoTemplate
  : S extends `${string}${'{' | '}'}${string}`
    ? NoTemplate
    : never;

type SegmentsParameters<T> = T extends `${infer Segment}:${infer Rest}`
  ? SegmentParameters<Segment> | SegmentsParameters<Rest>
  : SegmentParameters<T>;

/** A name with braces. */
export type Template = `${string}${'{' | '}'}${string}`;

type AllParameters<N> = N extends Template
  ? SegmentsParameters<N>
  : N extends readonly [infer First, ...infer Rest]
    ? AllParameters<First> | AllParameters<Rest>
    : never;

/**
 * The parameters that a template reads, a tuple for each placeholder; `[]` for a name without braces, or whose text the types
 * do not know. Only positions are readable for TypeScript: it has types for parameters, but not for their names.
 */
export type TemplateParameters<N> = [AllParameters<N>] extends [never] ? [] : AllParameters<N>;

type Segment =
  string | { readonly position: number; readonly path: readonly string[]; readonly text: string };

const BRACE = /[{}]/;
const PLACEHOLDER = /^\{([0-7])((?:\.[^.{}]+)*)\}$/;

/** A name with placeholders for values of a method's arguments. */
export class KeyTemplate {
  /** The segments that are the same in every call; undefined when there are none. */
  readonly fixed: string | undefined;
  private readonly segments: readonly Segment[];

  /** @throws LockUsageError for a placeholder that cannot be read */
  constructor(
    readonly text: string,
    private readonly where: string,
  ) {
    this.segments = text.split(':').map((segment) => this.parsed(segment));
    const fixed = this.segments.filter((segment) => typeof segment === 'string').join(':');
    this.fixed = fixed === '' ? undefined : fixed;
  }

  /** Whether a name has braces and so is read as a template. */
  static is(name: string): boolean {
    return BRACE.test(name);
  }

  /** The name of a call, with its values escaped as `lockName` does. @throws LockUsageError for a missing value */
  nameOf(args: readonly unknown[]): string {
    let name: string | undefined;
    for (const segment of this.segments) {
      const text = typeof segment === 'string' ? segment : this.valueOf(segment, args);
      name = name === undefined ? text : `${name}:${text}`;
    }
    return checkName(name);
  }

  private valueOf({ position, path, text }: Exclude<Segment, string>, args: readonly unknown[]): string {
    let value = args[position];
    for (const property of path) value = (value as Record<string, unknown> | null | undefined)?.[property];
    const segment = segmentOf(value);
    if (segment !== undefined) return segment;
    throw new LockUsageError(
      `${text} in the key '${this.text}' of ${this.where} takes a non-empty string, a number, a bigint or a boolean; ` +
        `it was ${shown(value)}.`,
    );
  }

  private parsed(segment: string): Segment {
    if (!BRACE.test(segment)) return segment;
    const [, position, path = ''] = PLACEHOLDER.exec(segment) ?? [];
    if (position !== undefined)
      return { position: Number(position), path: path.split('.').slice(1), text: segment };
    throw new LockUsageError(
      `${this.where} has the key '${this.text}', whose segment '${segment}' is neither a text nor a placeholder. ` +
        'A placeholder is a whole segment between colons: the position of a parameter from {0} to {7}, and properties of ' +
        'it, such as order:{0.id}; names of parameters are unknown at run time. For everything else use a function of ' +
        'the parameters, which may also return a name with braces.',
    );
  }
}
