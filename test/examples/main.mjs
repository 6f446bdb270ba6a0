// The applications of examples/, each installed beside the packed package, compiled, started in several processes and tested:
// npm run test:examples -- [names]
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NPM, openRedis, pack, run } from '../consumers/installation.mjs';
import { EXAMPLES } from './examples.mjs';
import { Replica } from './replica.mjs';

const root = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'lock-examples-'));
const OURS = 'nestjs-distributed-lock';
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const named = process.argv.slice(2);
const chosen = Object.keys(EXAMPLES).filter((name) => named.length === 0 || named.includes(name));

/** The examples as somebody has them who has copied them and run `npm install` and `npm run build`; their scripts by name. */
async function install(tarball) {
  const scripts = {};
  for (const name of chosen) {
    const left = ['node_modules', 'dist', 'package-lock.json'].map((path) =>
      join(root, 'examples', name, path),
    );
    cpSync(join(root, 'examples', name), join(dir, name), {
      recursive: true,
      filter: (path) => !left.includes(path),
    });
    const file = join(dir, name, 'package.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    assert.equal(
      manifest.dependencies[OURS],
      `^${version}`,
      `examples/${name}/package.json asks for this release`,
    );
    manifest.dependencies[OURS] = `file:${tarball}`;
    // Not the bare name, which is that of a package, too.
    writeFileSync(file, JSON.stringify({ name: `example-${name}`, ...manifest }));
    scripts[name] = manifest.scripts;
  }
  // One installation takes a quarter of the time of four. Each example gets the versions that it asks for.
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ private: true, workspaces: chosen }));
  run(dir, NPM);
  const builds = chosen.map((name) =>
    promisify(execFile)('npm', ['run', 'build'], { cwd: join(dir, name) }).catch(({ stdout }) => {
      throw new Error(`examples/${name} does not compile:\n${stdout}`);
    }),
  );
  const failures = (await Promise.allSettled(builds)).filter(({ status }) => status === 'rejected');
  if (failures.length > 0) throw failures[0].reason;
  return scripts;
}

const seconds = (since) => `${((performance.now() - since) / 1_000).toFixed(1)} s`;
const begun = performance.now();
let failed = 0;
let redis;
try {
  assert.ok(chosen.length > 0, `No example is named ${named.join(' or ')}.`);
  redis = await openRedis(dir);
  if (!redis) throw new Error('No Redis: set REDIS_URL, or put redis-server on the PATH.');
  const tarball = pack(dir, { built: true });
  const began = performance.now();
  const scripts = await install(tarball);
  console.log(`installed and compiled in ${seconds(began)}`);
  // Beside each other, since they mostly wait.
  const tests = chosen.map(async (name) => {
    const running = [];
    const home = join(dir, name);
    try {
      const start = (script, env = {}, ...args) => {
        const [command, ...words] = scripts[name][script].split(' ');
        // Not by npm, which would stand between the process and its signals.
        const installed = [home, dir]
          .map((path) => join(path, 'node_modules/.bin', command))
          .find(existsSync);
        const program = command === 'node' ? [] : [installed];
        const replica = new Replica(home, [...program, ...words, ...args], { REDIS_URL: redis.url, ...env });
        running.push(replica);
        return replica;
      };
      const from = createRequire(join(home, 'package.json'));
      const tested = performance.now();
      await EXAMPLES[name]({ start, from, redis: redis.url });
      console.log(`ok      ${name}: started and tested in ${seconds(tested)}`);
    } catch (error) {
      failed += 1;
      console.error(`FAILED  ${name}:`, error);
      for (const { said } of running) console.error(said);
    } finally {
      await Promise.all(running.map((replica) => replica.end('SIGKILL')));
    }
  });
  await Promise.all(tests);
} catch (error) {
  failed += 1;
  console.error(error);
} finally {
  await redis?.close();
  rmSync(dir, { recursive: true, force: true });
}
console.log(
  `Examples: ${failed === 0 ? `all ${chosen.length} passed` : `${failed} FAILED`} (${seconds(begun)})`,
);
process.exitCode = failed === 0 ? 0 : 1;
