import type { ModulesContainer } from '@nestjs/core';
import { LockError } from '../base/errors.js';
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

/** The error that a GraphQL client may see in the place of a lock error, which is its cause. */
export function graphqlError(error: LockError, body: LockErrorBody): Error & Extensions {
  return Object.assign(new Error(body.message, { cause: error }), { extensions: extensionsOf(body) });
}

type FormatError = (formatted: object, error: unknown) => unknown;

// Which options are wrapped already: those of an application with several registrations, or of several applications.
const wrapped = new WeakSet<object>();

/**
 * Keeps the details of lock errors out of the answers of Apollo Server where Nest calls no filter: field resolvers have none
 * unless the option `fieldResolverEnhancers` says so. It wraps `formatError` of every GraphQLModule, before the server
 * starts; a `formatError` of the application gets what is safe to show.
 */
export function hideFromGraphql(modules: ModulesContainer, answers: LockErrorAnswers): void {
  for (const { providers } of modules.values()) {
    const options = providers.get(OPTIONS)?.instance as { formatError?: FormatError } | null | undefined;
    if (typeof options !== 'object' || options === null || wrapped.has(options)) continue;
    wrapped.add(options);
    const { formatError } = options;
    options.formatError = (formatted, error) => {
      const shown = withoutDetails(formatted, error, answers);
      return formatError ? formatError.call(options, shown, error) : shown;
    };
  }
}

function withoutDetails(formatted: object, error: unknown, answers: LockErrorAnswers): object {
  const thrown = (error as { originalError?: unknown } | null | undefined)?.originalError ?? error;
  if (!LockError.is(thrown)) return formatted;
  const body = answers.to(thrown);
  return { ...formatted, message: body.message, extensions: extensionsOf(body) };
}
