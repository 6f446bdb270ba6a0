/**
 * A client of ioredis 5 or 6. It serves as a template: it is duplicated with our own settings, and never written to or
 * closed. The type is structural, so that a client of another copy of ioredis is accepted.
 *
 * @publicApi
 */
export interface ClientLike {
  duplicate(...args: never[]): unknown;
  readonly options: object;
  readonly status: string;
}
