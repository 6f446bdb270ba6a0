#!/usr/bin/env node
// The command `nestjs-distributed-lock`. It loads nothing of Nest, so it also works where Nest is not installed.
import { setFlagsFromString } from 'node:v8';

// A list of many names leaves little behind: without these, the heap grows to twice the size before it is looked through.
for (const flag of ['--optimize-for-size', '--max-semi-space-size=1']) setFlagsFromString(flag);

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    stopping.abort();
    process.once(signal, () => process.exit(130)); // whoever asks twice does not want to wait
  });

void import('./command.js').then(async ({ run }) => {
  process.exitCode = await run(process.argv.slice(2), process, process.env, stopping.signal);
});
