import type { ArgumentsHost } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { LockError } from '../base/errors.js';
import { errorClassOf, type GraphqlSchema, showErrors } from './graphql-schema.js';
import type { LockErrorBody } from './http-exception.js';
import type { LockErrorAnswers } from './lock-error-answers.js';

/** The token under which GraphQLModule keeps its options. */
const OPTIONS = 'GqlModuleOptions';

/** What GraphQL servers copy from a resolver's error into the answer. */
interface Extensions {
  readonly extensions: Omit<LockErrorBody, 'statusCode' | 'message'>;
}

function extensionsOf({
  statusCode: _,
  message: __,
  ...extensions
}: LockErrorBody): Extensions['extensions'] {
  return extensions;
}

/**
 * The error that a GraphQL client may see in the place of a lock error, which is its cause. It is a GraphQLError where the
 * schema is known: some servers, such as GraphQL Yoga, show clients no other errors.
 */
export function graphqlError(
  error: LockError,
  body: LockErrorBody,
  schema: GraphqlSchema | undefined,
): Error & Extensions {
  const extensions = extensionsOf(body);
  const GraphQLError = schema && errorClassOf(schema);
  const made = GraphQLError
    ? new GraphQLError(body.message, { extensions })
    : Object.assign(new Error(body.message), { extensions });
  return Object.defineProperty(made, 'cause', { value: error, configurable: true, writable: true });
}

/** The schema of the field that a filter is asked for. */
export function schemaOf(host: ArgumentsHost): GraphqlSchema | undefined {
  for (const argument of host.getArgs<unknown[]>()) {
    const { schema } = (argument ?? {}) as { readonly schema?: Partial<GraphqlSchema> };
    if (typeof schema?.getTypeMap === 'function') return schema as GraphqlSchema;
  }
  return undefined;
}

/** What we use of the options of a GraphQLModule. */
interface GraphqlOptions {
  formatError?: (formatted: object, error: unknown) => unknown;
  transformSchema?: (schema: GraphqlSchema) => GraphqlSchema | PromiseLike<GraphqlSchema>;
  readonly gateway?: unknown;
}

// Which options are wrapped already: those of an application with several registrations, or of several applications.
const wrapped = new WeakSet<object>();

/**
 * Keeps the details of lock errors out of GraphQL where Nest calls no filter: field resolvers have none unless the option
 * `fieldResolverEnhancers` says so, and the steps of a subscription never have any. It adds to the options of every
 * GraphQLModule, before its server starts: to `transformSchema`, for all that comes from resolvers, and to the `formatError`
 * of Apollo Server, for the rest. A `formatError` of the application gets what is safe to show.
 */
export function hideFromGraphql(modules: ModulesContainer, answers: LockErrorAnswers): void {
  for (const { providers } of modules.values()) {
    const options = providers.get(OPTIONS)?.instance as GraphqlOptions | null | undefined;
    if (typeof options !== 'object' || options === null || wrapped.has(options)) continue;
    wrapped.add(options);
    hideInAnswers(options, answers);
    if (!options.gateway) hideInSchema(options, answers); // a gateway has no resolvers
  }
}

function hideInSchema(options: GraphqlOptions, answers: LockErrorAnswers): void {
  const { transformSchema } = options;
  options.transformSchema = async (given) => {
    const schema = transformSchema ? await transformSchema.call(options, given) : given;
    if (typeof (schema as Partial<GraphqlSchema> | undefined)?.getTypeMap === 'function')
      showErrors(schema, (error) => {
        const hidden = lockErrorIn(error);
        return hidden ? graphqlError(hidden, answers.to(hidden), schema) : error;
      });
    return schema;
  };
}

function hideInAnswers(options: GraphqlOptions, answers: LockErrorAnswers): void {
  const { formatError } = options;
  options.formatError = (formatted, error) => {
    const shown = withoutDetails(formatted, error, answers);
    return formatError ? formatError.call(options, shown, error) : shown;
  };
}

function withoutDetails(formatted: object, error: unknown, answers: LockErrorAnswers): object {
  const hidden = lockErrorIn(error);
  if (!hidden) return formatted;
  const body = answers.to(hidden);
  return { ...formatted, message: body.message, extensions: extensionsOf(body) };
}

/** The lock error that an error is, or that a GraphQLError was made from. */
function lockErrorIn(error: unknown): LockError | undefined {
  const thrown = (error as { originalError?: unknown } | null | undefined)?.originalError ?? error;
  return LockError.is(thrown) ? thrown : undefined;
}
