#!/usr/bin/env bash
# What becomes of fields that are given to a logger of NestJS beside the text: logger.warn('text', { lock: 'a' }).
#
# Versions: @nestjs/common and @nestjs/core 12.5.0, nestjs-pino 5.2.1, pino 10.4.0, pino-http 11.0.0
# Guess:    NestJS 12 documents such fields, and its own JSON logger prints them under "params", so
#           a logger that is installed with useLogger gets them, too, and nestjs-pino prints them.
# Seen:     nestjs-pino prints the text and drops the fields without a word. An object in place of the
#           text arrives with its fields at the top level. So what works with one logger is lost in
#           the other.
# Output:   JSON logger: text with {"lock":"a"}
#           nestjs-pino: text with nothing; as an object {"lock":"a","msg":"text"}
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts @nestjs/common@12.5.0 @nestjs/core@12.5.0 \
  nestjs-pino@5.2.1 pino@10.4.0 pino-http@11.0.0 reflect-metadata@0.2.2 rxjs@7.8.2
cat > "$dir/run.mjs" <<'JS'
import 'reflect-metadata';
import { ConsoleLogger, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Logger as PinoLogger, LoggerModule } from 'nestjs-pino';
import { Writable } from 'node:stream';

const EXPECTED = [
  'JSON logger: text with {"lock":"a"}',
  'nestjs-pino: text with nothing; as an object {"lock":"a","msg":"text"}',
];
const lines = [];
const stream = new Writable({
  write(chunk, _encoding, done) {
    lines.push(String(chunk));
    done();
  },
});
const write = process.stdout.write.bind(process.stdout);
const captured = (run) => {
  const said = [];
  process.stdout.write = (chunk) => said.push(String(chunk)) > 0;
  try {
    run();
  } finally {
    process.stdout.write = write;
  }
  return said.join('');
};
const console_ = new ConsoleLogger({ json: true });
const json = JSON.parse(captured(() => console_.log('text', { lock: 'a' })).trim().split('\n')[0]);
class App {}
Module({ imports: [LoggerModule.forRoot({ pinoHttp: { stream } })] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: false });
app.useLogger(app.get(PinoLogger));
lines.length = 0;
new Logger('Example').warn('text', { lock: 'a' });
new Logger('Example').warn({ lock: 'a', msg: 'text' });
const [plain, object] = lines.map((line) => JSON.parse(line));
const fields = ({ lock }) => (lock === undefined ? 'nothing' : JSON.stringify({ lock }));
const found = [
  `JSON logger: ${json.message} with ${JSON.stringify(json.params?.[0] ?? json.params)}`,
  `nestjs-pino: ${plain.msg} with ${fields(plain)}; as an object ${JSON.stringify({ lock: object.lock, msg: object.msg })}`,
];
console.log(found.join('\n'));
process.exit(String(found) === String(EXPECTED) ? 0 : 1);
JS
cd "$dir" && timeout 60 node run.mjs && echo 'as found' || { echo 'CHANGED'; exit 1; }
