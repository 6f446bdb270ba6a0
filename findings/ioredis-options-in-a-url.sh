#!/usr/bin/env bash
# ioredis: a retry limit in the query of a URL removes the limit, also the one given as an option.
#
# Versions: ioredis 6.0.0 and 5.11.1. No server is needed.
# Guess:    in `new Redis(url, options)` the explicit options win over those of the URL's query.
# Seen:     the URL wins, and what its query says stays text. `maxRetriesPerRequest` counts only if
#           it is a number, so "1" means no limit at all: a command waits for ever while the server
#           is away, although the second argument says 1. `enableOfflineQueue=false` is the text
#           "false" and leaves the queue on; `lazyConnect=false` makes the client lazy.
#           Exception: `?db=5` loses against a path `/3`.
# Output:   ioredis 6.0.0
#           option 1: rejected after 2 attempts
#           query 1: still waiting after more than 20 attempts
#           query 1 and option 1: still waiting after more than 20 attempts
#           query keyPrefix=url: and option keyPrefix opt: -> url:
#           query lazyConnect=false -> status wait
#           query enableOfflineQueue=false -> queued
#           path /3 and query db=5 and option db 9 -> 3
#           ioredis 5.11.1 (the same lines)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  v6@npm:ioredis@6.0.0 v5@npm:ioredis@5.11.1

cat > "$dir/run.cjs" <<'JS'
const { createServer } = require('node:net');

/** What a command does whose server is never there. */
async function outcome(Redis, url, options) {
  let attempts = 0;
  let enough;
  const waiting = new Promise((resolve) => (enough = resolve));
  const retryStrategy = (count) => {
    attempts = count;
    if (count > 20) enough('still waiting after more than 20 attempts');
    return 5;
  };
  const redis = new Redis(url, { ...options, retryStrategy });
  redis.on('error', () => undefined);
  const rejected = redis.get('key').catch(() => `rejected after ${attempts} attempts`);
  const result = await Promise.race([rejected, waiting]);
  redis.disconnect();
  return result;
}

async function look(Redis, port) {
  const base = `redis://127.0.0.1:${port}`;
  const options = (url, more) => {
    const redis = new Redis(url, { lazyConnect: true, ...more });
    redis.disconnect();
    return redis.options;
  };
  const eager = new Redis(`${base}?lazyConnect=false`);
  const { status } = eager;
  eager.disconnect();
  const queueing = new Redis(`${base}?enableOfflineQueue=false`, { lazyConnect: true });
  queueing.on('error', () => undefined);
  let refused = false;
  queueing.get('key').catch((error) => (refused = /enableOfflineQueue/.test(error.message)));
  await new Promise((resolve) => setImmediate(resolve));
  queueing.disconnect();
  return [
    `option 1: ${await outcome(Redis, base, { maxRetriesPerRequest: 1 })}`,
    `query 1: ${await outcome(Redis, `${base}?maxRetriesPerRequest=1`, {})}`,
    `query 1 and option 1: ${await outcome(Redis, `${base}?maxRetriesPerRequest=1`, { maxRetriesPerRequest: 1 })}`,
    `query keyPrefix=url: and option keyPrefix opt: -> ${options(`${base}?keyPrefix=url:`, { keyPrefix: 'opt:' }).keyPrefix}`,
    `query lazyConnect=false -> status ${status}`,
    `query enableOfflineQueue=false -> ${refused ? 'refused' : 'queued'}`,
    `path /3 and query db=5 and option db 9 -> ${options(`${base}/3?db=5`, { db: 9 }).db}`,
  ];
}

const EXPECTED = [
  'option 1: rejected after 2 attempts',
  'query 1: still waiting after more than 20 attempts',
  'query 1 and option 1: still waiting after more than 20 attempts',
  'query keyPrefix=url: and option keyPrefix opt: -> url:',
  'query lazyConnect=false -> status wait',
  'query enableOfflineQueue=false -> queued',
  'path /3 and query db=5 and option db 9 -> 3',
];

// A port on which nobody listens: one that was free a moment ago.
const server = createServer().listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  server.close(async () => {
    let changed = false;
    for (const name of ['v6', 'v5']) {
      const { Redis } = require(name);
      console.log('ioredis', require(`${name}/package.json`).version);
      const lines = await look(Redis, port);
      console.log(lines.join('\n'));
      changed ||= lines.join() !== EXPECTED.join();
    }
    console.log(changed ? 'CHANGED' : 'as found');
    process.exit(changed ? 1 : 0);
  });
});
JS
node "$dir/run.cjs"
