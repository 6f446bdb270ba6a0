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

/**
 * The connection options of ioredis, as far as this library reads them; all others are passed on.
 *
 * @publicApi
 */
export interface RedisOptionsLike {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db?: number | undefined;
  readonly [option: string]: unknown;
}
