// Applications of users, built against the packed tarball in a directory of their own: what is missing from the package, or
// resolves only inside this repository, shows here. Without arguments it runs the corners of CI, with --whole all of
// corners.mjs and the recipes over ORMs, with --only PATTERN those whose name matches it ('recipes': these recipes alone, and
// 'quick start': the quick start of the README alone, which is run in CI, too). Its last lines are a table of what was run.
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CORNERS, FORMATS, IN_CI, INSTALLATIONS, omitted, STEPS } from './corners.mjs';
import { NPM, openRedis, pack, run } from './installation.mjs';
import { checkQuickStart } from './quick-start.mjs';
import { checkOrmRecipes } from './recipes.mjs';
import { installRuntime } from './runtimes.mjs';
import { checkQueues, checkShutdowns } from './shutdown.mjs';

const root = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'lock-consumers-'));
const local = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies;

const whole = process.argv.includes('--whole');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;
const chosen = CORNERS.filter(({ name }) =>
  only === undefined ? whole || IN_CI.includes(name) : new RegExp(only).test(name),
);

/** The cases of the transports and what they consist of, in their places in this repository. */
const TRANSPORTS = [
  'test/contract/transport-cases.ts',
  'test/support/door.ts',
  'test/support/eventually.ts',
  'test/support/logged-lines.ts',
  'test/support/transport-applications.ts',
  'tools/free-port.ts',
  'tools/patience.ts',
];

function dependenciesOf({ nest, microservices, graphql, ioredis, bullmq, rxjs, metadata, whole }, tarball) {
  const major = `^${nest.match(/\d+/)[0]}.0.0`;
  const own = (...names) => Object.fromEntries(names.map((one) => [one, local[one]]));
  const basic = {
    '@nestjs/common': nest,
    '@nestjs/core': nest,
    '@nestjs/microservices': microservices ?? (whole ? nest : major),
    '@nestjs/platform-express': nest,
    '@nestjs/swagger': major,
    '@nestjs/terminus': major,
    '@nestjs/testing': nest,
    ioredis,
    'nestjs-distributed-lock': `file:${tarball}`,
    'reflect-metadata': metadata ?? '^0.2.0',
    rxjs: rxjs ?? '^7.8.0',
    // The versions that this repository is tested with.
    ...own('@opentelemetry/api', '@types/jest', '@types/node', 'jest', 'typescript'),
  };
  if (!whole) return basic;
  return {
    ...basic,
    '@nestjs/apollo': graphql,
    '@nestjs/bullmq': nest,
    '@nestjs/cli': major,
    '@nestjs/graphql': graphql,
    '@nestjs/platform-fastify': nest,
    '@nestjs/platform-socket.io': nest,
    '@nestjs/platform-ws': nest,
    '@nestjs/websockets': nest,
    // What the Nest CLI bundles with.
    '@rspack/core': '^2.1.10',
    'fork-ts-checker-webpack-plugin': '^9.1.0',
    'ts-loader': '^9.5.4',
    'tsconfig-paths-webpack-plugin': '^4.2.0',
    webpack: '^5.105.4',
    'webpack-node-externals': '^3.0.0',
    bullmq,
    esbuild: '^0.25.0',
    'nest-commander': '^3.21.0',
    vitest: '^4.0.0',
    ...own('@apollo/server', '@as-integrations/express5', '@types/ws', 'graphql', 'socket.io-client', 'ws'),
  };
}

/** Installs the packages of a user once; its applications, in both formats, live below and share them. */
function install(installation, tarball) {
  const home = join(dir, installation.replaceAll(/\W/g, '-').toLowerCase());
  mkdirSync(home);
  const dependencies = dependenciesOf(INSTALLATIONS[installation], tarball);
  writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, dependencies }, null, 2));
  // Of the lowest versions not all fit together: @nestjs/core 12.0.0 asks for @nestjs/common 11.
  run(home, INSTALLATIONS[installation].whole ? NPM : [...NPM, '--legacy-peer-deps']);
  return home;
}

// No `esnext.disposable` in lib and no skipLibCheck: our declarations must bring what they need.
const COMPILER_OPTIONS = {
  target: 'es2023',
  lib: ['es2023'],
  module: 'nodenext',
  types: ['node', 'jest'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: false,
  rootDir: 'src',
  outDir: 'dist',
};

/** One application, compiled: its source is the same in both formats, and package.json says what becomes of it. */
function build(installation, format, installed) {
  const home = join(installed, format);
  cpSync(join(import.meta.dirname, 'app'), join(home, 'src'), { recursive: true });
  cpSync(join(import.meta.dirname, 'bundler.config.cjs'), join(home, 'bundler.config.cjs'));
  const json = (file, content) => writeFileSync(join(home, file), JSON.stringify(content, null, 2));
  json('package.json', {
    private: true,
    type: format === 'esm' ? 'module' : 'commonjs',
    jest: { testEnvironment: 'node', rootDir: 'dist' },
  });
  json('tsconfig.json', { compilerOptions: COMPILER_OPTIONS, include: ['src/*.ts'] });
  json('nest-cli.json', {
    sourceRoot: 'src',
    entryFile: 'main',
    compilerOptions: { tsConfigPath: 'tsconfig.json' },
  });
  run(home, [process.execPath, '../node_modules/typescript/bin/tsc']);
  if (!INSTALLATIONS[installation].whole) return home;

  for (const path of TRANSPORTS) cpSync(join(root, path), join(home, 'transports', path));
  cpSync(
    join(import.meta.dirname, 'transports.spec.ts'),
    join(home, 'transports/test/nest/transports.spec.ts'),
  );
  // What other packages declare is not ours to check.
  const compilerOptions = { skipLibCheck: true, rootDir: 'transports', outDir: 'dist/transports' };
  json('tsconfig.transports.json', { extends: './tsconfig.json', compilerOptions, include: ['transports'] });
  return home;
}

/** What each step of a corner does; it throws when something is wrong, or returns why it cannot be run here. */
const RUN = {
  memory: ({ home, command, starts }) =>
    run(home, [...command, 'dist/main.js'], {}, { limit: 60_000, starts }),
  redis: ({ home, command, starts, env }) =>
    run(home, [...command, 'dist/main.js'], env, { limit: 60_000, starts }),
  'one class': ({ home, command, starts }) =>
    run(home, [...command, 'src/same-class.cjs'], {}, { limit: 60_000, starts }),
  esbuild: ({ home, command, format, env }) => {
    // Whatever runs them, the bundles of one application are the same.
    const bundle = (entry, file, ...more) =>
      existsSync(join(home, file)) ||
      run(home, [
        '../node_modules/.bin/esbuild',
        entry,
        '--bundle',
        '--minify',
        '--platform=node',
        '--external:@nestjs/*',
        '--log-level=warning',
        `--outfile=${file}`,
        ...more,
      ]);
    bundle('dist/bundled.js', 'bundle.cjs');
    run(home, [...command, 'dist/meet-bundle.js'], env);
    // The whole application; packages that themselves require what they need stay outside of an ES module.
    const esm = format === 'ES modules';
    const file = `bundles/esbuild.${esm ? 'mjs' : 'cjs'}`;
    const apart = ['rxjs', 'reflect-metadata', 'ioredis'].map((name) => `--external:${name}`);
    bundle('dist/main.js', file, ...apart, ...(esm ? ['--format=esm'] : []));
    run(home, [...command, file], env);
  },
  'Nest CLI': ({ home, command, installation, format, env }) => {
    const builder = format === 'ES modules' && installation === 'Nest 12' ? 'rspack' : 'webpack';
    const options = ['build', '--builder', builder, `--${builder}Path`, 'bundler.config.cjs'];
    const file = `bundles/${builder}.${builder === 'rspack' ? 'mjs' : 'cjs'}`;
    if (!existsSync(join(home, file)))
      run(home, [process.execPath, '../node_modules/@nestjs/cli/bin/nest.js', ...options]);
    run(home, [...command, file]);
    if (env) run(home, [...command, file], env);
  },
  // @MessagePattern and @ApiOperation are real here.
  jest: (corner) => runJest(corner, ['--testPathIgnorePatterns', 'transports']),
  vitest: ({ home, command, env }) =>
    run(
      home,
      [
        ...command,
        '../node_modules/vitest/vitest.mjs',
        'run',
        '--globals',
        '--dir',
        'dist',
        'stock.spec',
        'sums.spec',
      ],
      env,
    ),
  deep: async (corner) => {
    const { home, command, env, redis } = corner;
    run(home, [process.execPath, '../node_modules/typescript/bin/tsc', '-p', 'tsconfig.transports.json']);
    run(home, [...command, 'src/sub-paths.cjs']); // each sub-path loads alone, as CommonJS and as ES module
    run(home, [...command, 'dist/observed.js']); // its health check and its events work
    run(home, [...command, 'src/command-app.cjs']); // a command of nest-commander is locked
    run(home, [...command, 'src/return-kinds.cjs']); // streams hold their lock over Express and Fastify
    const ours = '../node_modules/.bin/nestjs-distributed-lock';
    run(home, [ours, '--help']);
    if (!redis) return 'no Redis here';
    run(home, [ours, 'doctor'], { REDIS_URL: redis });
    // A connection of BullMQ, in database 3, is a recipe and is sent nothing.
    run(home, [...command, 'src/bull-connection.cjs'], env);
    await checkShutdowns(home, redis, command); // SIGTERM and hooks that throw: no worker is refused a lock
    await checkQueues(home, redis, command); // a deploy leaves the queue of BullMQ as it is
    runJest(corner, ['transports']); // every transport
  },
};

function runJest({ home, command, installation, format, env }, args) {
  // In CommonJS jest needs the flag to require NestJS 12, which is made of ES modules.
  const vm = format === 'ES modules' || installation.startsWith('Nest 12');
  const flags = vm ? ['--experimental-vm-modules', '--no-warnings'] : [];
  run(home, [...command, ...flags, '../node_modules/jest/bin/jest.js', ...args], env);
}

const QUICK = Object.keys(STEPS).filter((step) => step !== 'deep');

/** Runs steps of a corner; what came of each goes into `results`. */
async function check(steps, corner, home, { command, starts }, redis, results) {
  const env = redis && { REDIS_URL: redis, NAMESPACE: `consumer-${randomUUID()}` };
  for (const step of steps) {
    const begun = performance.now();
    let reason = omitted(corner, step);
    if (reason === undefined && !env && ['redis', 'esbuild'].includes(step)) reason = 'no Redis here';
    try {
      reason ??= await RUN[step]({ ...corner, home, command, starts, redis, env });
      results.set(step, reason === undefined ? 'passed' : reason);
    } catch (error) {
      results.set(step, 'FAILED');
      failures.push(`${corner.name}: ${STEPS[step]}: ${error.message}`);
      console.error(`${corner.name}: ${STEPS[step]}: FAILED\n${error.message}`);
    }
    if (results.get(step) !== 'passed') continue;
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
    console.log(`${corner.name}: ${STEPS[step]} (${seconds} s)`);
  }
}

/** The corners, a row each, and the reasons of what was not run. */
function table(outcomes) {
  const reasons = [];
  const mark = (reason) => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return `- (${reasons.indexOf(reason) + 1})`;
  };
  const cell = (outcome) => (['passed', 'FAILED'].includes(outcome) ? outcome : mark(outcome));
  const rows = [
    ['corner', 'version', ...Object.keys(STEPS)],
    ...outcomes.map(({ corner, version, results }) => [
      corner.name,
      version,
      ...Object.keys(STEPS).map((step) => cell(results.get(step))),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, '', ...reasons.map((reason, index) => `(${index + 1}) not run: ${reason}`)].join('\n');
}

const failures = [];
const outcomes = [];
const begun = performance.now();
let redis;
try {
  if (chosen.length === 0 && !['recipes', 'quick start'].includes(only))
    throw new Error(`No corner has a name like '${only}'.`);
  const tarball = pack(dir);
  redis = await openRedis(dir);

  const once = new Map();
  const made = (key, make) => {
    if (!once.has(key)) {
      try {
        once.set(key, { value: make() });
      } catch (error) {
        once.set(key, { error });
      }
    }
    const { value, error } = once.get(key);
    if (error) throw error;
    return value;
  };
  const later = []; // what takes minutes
  for (const corner of chosen) {
    const { name, installation, runtime, format } = corner;
    const outcome = { corner, version: '', results: new Map() };
    outcomes.push(outcome);
    const all = (result) => Object.keys(STEPS).forEach((step) => outcome.results.set(step, result));
    let installedRuntime;
    try {
      installedRuntime = made(runtime, () => installRuntime(dir, runtime));
      outcome.version = installedRuntime.version;
    } catch (error) {
      // Another runtime may be missing on this machine; a version of Node may not.
      all(error.message.split('\n')[0]);
      if (runtime.startsWith('Node')) failures.push(`${name}: ${error.message}`);
      console.log(`${name}: ${error.message}`);
      continue;
    }
    try {
      const installed = made(installation, () => install(installation, tarball));
      const home = made(`${installation} ${format}`, () => build(installation, FORMATS[format], installed));
      console.log(`${name}: the packed tarball type-checks and compiles (${outcome.version})`);
      await check(QUICK, corner, home, installedRuntime, redis?.url, outcome.results);
      later.push(() => check(['deep'], corner, home, installedRuntime, redis?.url, outcome.results));
    } catch (error) {
      all('FAILED');
      failures.push(`${name}: ${error.message}`);
      console.error(error.message);
    }
  }
  for (const check of later) await check();
  if (redis && (only === undefined || only === 'quick start'))
    for (const major of whole || only ? [11, 12] : [12]) {
      const times = await checkQuickStart({ major, dir, tarball, redis: redis.url });
      console.log(`the quick start of the README works in an empty project of Nest ${major}: ${times}`);
    }
  if ((only === 'recipes' || (whole && only === undefined)) && redis) {
    const begunRecipes = performance.now();
    const installed = made('Nest 12', () => install('Nest 12', tarball));
    await checkOrmRecipes(installed, redis.url, { run, npm: NPM, local });
    const seconds = ((performance.now() - begunRecipes) / 1_000).toFixed(1);
    console.log(`the recipes for TypeORM and Prisma compile and run (${seconds} s)`);
  }
} catch (error) {
  console.error(error);
  failures.push(error.message);
} finally {
  await redis?.close();
  rmSync(dir, { recursive: true, force: true });
}
const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
console.log(`\n${table(outcomes)}\n`);
console.log(
  failures.length === 0
    ? `consumers: all passed in ${outcomes.length} of ${CORNERS.length} corners (${minutes} minutes)`
    : `consumers: ${failures.length} FAILED`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
