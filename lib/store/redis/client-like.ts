/**
 * A client of ioredis 5 or 6, as a recipe: it is duplicated with our own settings, never written to and
 * never closed. Structural, so that a client of another copy of ioredis is accepted.
 *
 * @publicApi
 */
export interface ClientLike {
  duplicate(...args: never[]): unknown;
  readonly options: object;
  readonly status: string;
}
