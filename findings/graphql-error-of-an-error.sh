#!/usr/bin/env bash
# An error that a resolver throws with extensions.code: which servers show it to their clients, by how it was made.
#
# Versions: graphql 16.15.0, graphql-yoga 5.24.1, @apollo/server 5.5.1, mercurius 16.10.1 on fastify 5.12.8,
#           NODE_ENV=production.
# Guess:    A GraphQLError is shown by all three, whether or not it says with `originalError` which error it stands
#           for: that is what the option is for. A plain Error with `extensions` is masked by Yoga alone.
# Seen:     Yoga goes down the chain of `originalError` and judges the innermost one, so the very option that keeps
#           the cause makes it mask the message and replace the code. With the standard property `cause` in its place
#           the same error is shown. Apollo and Mercurius show all four.
# Output:   GraphQLError: yoga told BUSY; apollo told BUSY; mercurius told BUSY
#           GraphQLError of an Error: yoga Unexpected error. INTERNAL_SERVER_ERROR; apollo told BUSY; mercurius told BUSY
#           GraphQLError with a cause: yoga told BUSY; apollo told BUSY; mercurius told BUSY
#           Error with extensions: yoga Unexpected error. INTERNAL_SERVER_ERROR; apollo told BUSY; mercurius told BUSY
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  graphql@16.15.0 graphql-yoga@5.24.1 @apollo/server@5.5.1 mercurius@16.10.1 fastify@5.12.8

cat > "$dir/run.cjs" <<'JS'
const { GraphQLError, GraphQLObjectType, GraphQLSchema, GraphQLString } = require('graphql');
const { createYoga } = require('graphql-yoga');
const { ApolloServer } = require('@apollo/server');
const fastify = require('fastify');
const mercurius = require('mercurius');

const extensions = { code: 'BUSY' };
const thrown = {
  GraphQLError: () => new GraphQLError('told', { extensions }),
  'GraphQLError of an Error': () => new GraphQLError('told', { extensions, originalError: new Error('inner') }),
  'GraphQLError with a cause': () =>
    Object.assign(new GraphQLError('told', { extensions }), { cause: new Error('inner') }),
  'Error with extensions': () => Object.assign(new Error('told'), { extensions }),
};
const resolve = (_source, { how }) => {
  throw thrown[how]();
};
const field = { type: GraphQLString, args: { how: { type: GraphQLString } }, resolve };
const schema = new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields: { field } }) });
const shown = ({ errors: [{ message, extensions: more }] }) => [message, more?.code].filter(Boolean).join(' ');

(async () => {
  const yoga = createYoga({ schema, logging: false });
  const apollo = new ApolloServer({ schema });
  await apollo.start();
  const app = fastify();
  await app.register(mercurius, { schema });
  for (const how of Object.keys(thrown)) {
    const query = `{ field(how: ${JSON.stringify(how)}) }`;
    const body = JSON.stringify({ query });
    const headersOf = () => ({ 'content-type': 'application/json' }); // inject writes into what it is given
    const answers = {
      yoga: await (await yoga.fetch('http://localhost/graphql', { method: 'POST', headers: headersOf(), body })).json(),
      apollo: (await apollo.executeOperation({ query })).body.singleResult,
      mercurius: (await app.inject({ method: 'POST', url: '/graphql', headers: headersOf(), payload: body })).json(),
    };
    const words = Object.entries(answers).map(([server, answer]) => `${server} ${shown(answer)}`);
    console.log(`${how}: ${words.join('; ')}`);
  }
  await apollo.stop();
  await app.close();
})();
JS

seen=$(cd "$dir" && NODE_ENV=production node run.cjs)
echo "$seen"
expected='GraphQLError: yoga told BUSY; apollo told BUSY; mercurius told BUSY
GraphQLError of an Error: yoga Unexpected error. INTERNAL_SERVER_ERROR; apollo told BUSY; mercurius told BUSY
GraphQLError with a cause: yoga told BUSY; apollo told BUSY; mercurius told BUSY
Error with extensions: yoga Unexpected error. INTERNAL_SERVER_ERROR; apollo told BUSY; mercurius told BUSY'
[ "$seen" = "$expected" ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
