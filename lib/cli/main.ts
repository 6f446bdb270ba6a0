#!/usr/bin/env node
// The command `nestjs-distributed-lock`. It loads nothing of Nest, so it also works where Nest is not installed.
import { setFlagsFromString } from 'node:v8';
import { Interruption } from './interruption.js';

// A list of many names leaves little behind: without these, the heap grows to twice the size before it is looked through.
for (const flag of ['--optimize-for-size', '--max-semi-space-size=1']) setFlagsFromString(flag);

const interruption = new Interruption();

// Of what the module of --config does beside: its words are not repeated, since there may be a password in them.
process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
  process.stderr.write(`Unexpected: an uncaught ${error.code ?? error.name}.\n`, () => process.exit(4));
});

void import('./command.js').then(async ({ run }) => {
  // What the module of --config has opened may stay open for ever.
  process.exit(await run(process.argv.slice(2), process, process.env, interruption));
});
