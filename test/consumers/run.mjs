// Applications of users, built against the packed tarball in a directory of their own:
// what is missing from the package, or resolves only inside this repository, shows here.
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkQueues, checkShutdowns, freePort } from './shutdown.mjs';

const root = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'lock-consumers-'));
const local = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies;

const CONSUMERS = [
  {
    name: 'nest-11-cjs',
    nest: '^11.0.0',
    graphql: '^13.0.0',
    ioredis: '^5.4.0',
    bullmq: '^5.0.0',
    esm: false,
  },
  {
    name: 'nest-12-esm',
    nest: '^12.0.0',
    graphql: '^14.0.0',
    ioredis: '^6.0.0',
    bullmq: '^6.0.0',
    esm: true,
  },
];

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

function run(cwd, command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, REDIS_URL: undefined, NAMESPACE: undefined, ...env },
    timeout: 300_000,
  });
  if (error || status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
}

/** A Redis of REDIS_URL, of REDIS_SERVER_BINARY or of redis-server on PATH; without any the applications lock in memory only. */
async function openRedis() {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, close: () => undefined };
  const binary = process.env.REDIS_SERVER_BINARY || 'redis-server';
  if (spawnSync(binary, ['--version']).error) return undefined;
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir];
  const server = spawn(binary, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    server.on('exit', () => reject(new Error(`${binary} ended`)));
    server.stdout.on('data', (text) => String(text).includes('Ready to accept') && resolve());
  });
  const ended = new Promise((resolve) => server.on('exit', resolve));
  const close = () => {
    server.kill();
    return ended;
  };
  return { url: `redis://127.0.0.1:${port}`, close };
}

function install({ name, nest, graphql, ioredis, bullmq, esm }, tarball) {
  const home = join(dir, name);
  mkdirSync(home);
  cpSync(join(import.meta.dirname, 'app'), join(home, 'src'), { recursive: true });
  for (const path of TRANSPORTS) cpSync(join(root, path), join(home, 'transports', path));
  cpSync(
    join(import.meta.dirname, 'transports.spec.ts'),
    join(home, 'transports/test/nest/transports.spec.ts'),
  );
  const manifest = {
    name,
    private: true,
    ...(esm ? { type: 'module' } : {}),
    dependencies: {
      '@nestjs/apollo': graphql,
      '@nestjs/bullmq': nest,
      '@nestjs/common': nest,
      '@nestjs/core': nest,
      '@nestjs/graphql': graphql,
      '@nestjs/microservices': nest,
      '@nestjs/platform-express': nest,
      '@nestjs/platform-fastify': nest,
      '@nestjs/platform-socket.io': nest,
      '@nestjs/platform-ws': nest,
      '@nestjs/swagger': nest,
      '@nestjs/testing': nest,
      '@nestjs/websockets': nest,
      bullmq,
      esbuild: '^0.25.0',
      ioredis,
      'nest-commander': '^3.21.0',
      'nestjs-distributed-lock': `file:${tarball}`,
      'reflect-metadata': '^0.2.0',
      rxjs: '^7.8.0',
      // The versions that this repository is tested with.
      ...Object.fromEntries(
        [
          '@apollo/server',
          '@as-integrations/express5',
          '@types/jest',
          '@types/node',
          '@types/ws',
          'graphql',
          'jest',
          'socket.io-client',
          'typescript',
          'ws',
        ].map((one) => [one, local[one]]),
      ),
    },
    jest: { testEnvironment: 'node', rootDir: 'dist' },
  };
  // No `esnext.disposable` in lib and no skipLibCheck: our declarations must bring what they need.
  const compilerOptions = {
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
  writeFileSync(join(home, 'package.json'), JSON.stringify(manifest, null, 2));
  writeFileSync(
    join(home, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['src/*.ts'] }, null, 2),
  );
  // What other packages declare is not ours to check.
  const transports = { skipLibCheck: true, rootDir: 'transports', outDir: 'dist/transports' };
  writeFileSync(
    join(home, 'tsconfig.transports.json'),
    JSON.stringify(
      { extends: './tsconfig.json', compilerOptions: transports, include: ['transports'] },
      null,
      2,
    ),
  );
  run(home, 'npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']);
  return home;
}

let redis;
try {
  const packed = spawnSync('npm', ['pack', '--silent', '--pack-destination', dir], {
    cwd: root,
    encoding: 'utf8',
  });
  if (packed.status !== 0) throw new Error(`npm pack failed:\n${packed.stdout}${packed.stderr}`);
  const tarball = join(dir, packed.stdout.trim().split('\n').at(-1));
  redis = await openRedis();

  for (const consumer of CONSUMERS) {
    const home = install(consumer, tarball);
    const step = (what, ...command) => {
      run(home, ...command);
      console.log(`${consumer.name}: ${what}`);
    };
    step('the packed tarball type-checks and compiles', process.execPath, [
      'node_modules/typescript/bin/tsc',
    ]);
    run(home, process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.transports.json']);
    step('the packed tarball boots and locks in memory', process.execPath, ['dist/main.js']);
    step('a command of nest-commander is locked', process.execPath, ['src/command-app.cjs']);
    if (redis) {
      const env = { REDIS_URL: redis.url, NAMESPACE: `consumer-${randomUUID()}` };
      step('the packed tarball boots and locks on Redis', process.execPath, ['dist/main.js'], env);
      const options = [
        '--bundle',
        '--minify',
        '--platform=node',
        '--external:@nestjs/*',
        '--outfile=bundle.cjs',
      ];
      run(home, 'node_modules/.bin/esbuild', ['dist/bundled.js', ...options, '--log-level=warning']);
      step(
        'a minified bundle has the same keys and its scripts',
        process.execPath,
        ['dist/meet-bundle.js'],
        env,
      );
      step(
        'a connection of BullMQ, in database 3, is a recipe and is sent nothing',
        process.execPath,
        ['src/bull-connection.cjs'],
        env,
      );
      await checkShutdowns(home, redis.url);
      console.log(`${consumer.name}: SIGTERM and hooks that throw: no worker is refused a lock`);
      await checkQueues(home, redis.url);
      console.log(`${consumer.name}: a deploy leaves the queue of BullMQ as it is`);
    } else {
      console.log(`${consumer.name}: no Redis here, locked in memory only`);
    }
    step('the packed tarball gives require and import one class', process.execPath, ['src/same-class.cjs']);
    step('streams hold their lock over Express and Fastify', process.execPath, ['src/return-kinds.cjs']);
    const vm = consumer.esm ? ['--experimental-vm-modules', '--no-warnings'] : [];
    // @MessagePattern and @ApiOperation are real here, and so is every transport.
    step(
      "the packed tarball passes a user's jest",
      process.execPath,
      [...vm, 'node_modules/jest/bin/jest.js'],
      redis ? { REDIS_URL: redis.url } : {},
    );
  }
  console.log('consumers: all passed');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await redis?.close();
  rmSync(dir, { recursive: true, force: true });
}
