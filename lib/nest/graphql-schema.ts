/** What we use of a field of a GraphQL schema, whose package may not be installed. */
interface Field {
  resolve?: Resolver;
  subscribe?: Resolver;
}
type Resolver = (this: unknown, ...args: unknown[]) => unknown;

/** What we use of a GraphQL schema. */
export interface GraphqlSchema {
  getTypeMap(): Record<string, Type>;
}
interface Type {
  getFields?(): Record<string, Field>;
  parseValue?(value: unknown): unknown;
}

type ErrorClass = new <E extends object>(
  message: string,
  options: { extensions: E },
) => Error & { extensions: E };

/** The error that a client may see in the place of another one. */
type Shown = (error: unknown) => unknown;

// The replacements: types may be part of several schemas.
const replacements = new WeakSet<Resolver>();

/**
 * Puts `shown` between all resolvers of a schema and its server: for errors that resolvers throw, reject with or return, also
 * in lists, and for those of the steps of a subscription.
 */
export function showErrors(schema: GraphqlSchema, shown: Shown): void {
  for (const [name, type] of Object.entries(schema.getTypeMap())) {
    if (name.startsWith('__')) continue; // introspection, which all schemas share
    for (const field of Object.values(type.getFields?.() ?? {})) {
      if (field.resolve) field.resolve = replaced(field.resolve, (result) => settled(result, shown), shown);
      if (field.subscribe)
        field.subscribe = replaced(field.subscribe, (result) => events(result, shown), shown);
    }
  }
}

/**
 * The class GraphQLError of the very copy of `graphql` that a schema was made with, since servers check it by `instanceof`.
 * We do not import that package, but its own types refuse a value with such an error.
 */
export function errorClassOf(schema: GraphqlSchema): ErrorClass | undefined {
  try {
    schema.getTypeMap().Boolean?.parseValue?.({});
  } catch (error) {
    if (error instanceof Error && error.name === 'GraphQLError') return error.constructor as ErrorClass;
  }
  return undefined;
}

function replaced(resolver: Resolver, finish: (result: unknown) => unknown, shown: Shown): Resolver {
  if (replacements.has(resolver)) return resolver;
  const replacement: Resolver = function (...args) {
    let result: unknown;
    try {
      result = Reflect.apply(resolver, this, args);
    } catch (error) {
      throw shown(error);
    }
    return isPromise(result) ? result.then(finish, thrower(shown)) : finish(result);
  };
  replacements.add(replacement);
  return replacement;
}

/** A result whose errors are shown, be they in a list or still to come. */
function settled(result: unknown, shown: Shown): unknown {
  if (result instanceof Error) return shown(result);
  if (isPromise(result)) return result.then((value) => settled(value, shown), thrower(shown));
  const mayFail = Array.isArray(result) && result.some((each) => each instanceof Error || isPromise(each));
  return mayFail ? result.map((each) => settled(each, shown)) : result;
}

/** The events of a subscription, with the errors of their steps shown. */
function events(result: unknown, shown: Shown): unknown {
  if (result instanceof Error) return shown(result);
  if (typeof (result as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] !== 'function')
    return result;
  const source = result as AsyncIterable<unknown>;
  return { [Symbol.asyncIterator]: () => stepsOf(source[Symbol.asyncIterator](), shown) };
}

function stepsOf(source: AsyncIterator<unknown>, shown: Shown): AsyncIterableIterator<unknown> {
  const step = async (move: () => Promise<IteratorResult<unknown>>): Promise<IteratorResult<unknown>> => {
    try {
      return await move();
    } catch (error) {
      throw shown(error);
    }
  };
  const steps: AsyncIterableIterator<unknown> = {
    next: () => step(() => source.next()),
    [Symbol.asyncIterator]: () => steps,
  };
  if (source.return) steps.return = (value) => step(() => source.return!(value));
  if (source.throw) steps.throw = (error) => step(() => source.throw!(error));
  return steps;
}

function thrower(shown: Shown): (error: unknown) => never {
  return (error) => {
    throw shown(error);
  };
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Partial<Promise<unknown>> | null | undefined)?.then === 'function';
}
