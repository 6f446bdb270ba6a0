// From an empty project of Nest to a locked method by the README alone: the blocks of its section "Quick start" are carried
// out in their order. A block of TypeScript is a file when its first line, or the paragraph before it, names `src/….ts`; other
// blocks of TypeScript are further examples and stay out. A block of shell is run by bash, in the project.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NPM, run } from './installation.mjs';
import { freePort } from './shutdown.mjs';

const root = join(import.meta.dirname, '../..');
const OURS = 'nestjs-distributed-lock';
const PATIENCE = 300_000;
const ANSWER = 'answer: ';

/** What makes an empty project of each major: here the CLI is installed already, or it comes as users get it. */
const CLI = {
  11: ['npm', 'exec', '--yes', '--package', '@nestjs/cli@11', '--', 'nest'],
  12: [process.execPath, join(root, 'node_modules/@nestjs/cli/bin/nest.js')],
};

/** The steps of a page: `{ file, code }` or `{ shell }`. */
export function stepsOf(page) {
  const section = /^## +quick start[ \t]*\n([^]*?)(?=^## |(?![^]))/im.exec(page)?.[1];
  assert.ok(section, 'The README has no section "Quick start"');
  const steps = [];
  let end = 0;
  for (const { 0: block, 2: language, 3: code, index } of section.matchAll(/^(`{3,})(\w*)\n([^]*?)^\1$/gm)) {
    const before = section
      .slice(end, index)
      .trim()
      .split(/\n\s*\n/)
      .at(-1);
    end = index + block.length;
    if (language === 'sh' || language === 'bash') steps.push({ shell: code });
    if (language !== 'ts' && language !== 'typescript') continue;
    const file = /^\/\/ (src\/\S+\.ts)\b/.exec(code)?.[1] ?? /`(src\/\S+\.ts)`/.exec(before)?.[1];
    if (file) steps.push({ file, code });
  }
  return steps;
}

/** Ends what a shell has left in the background. */
async function endGroup(pid) {
  for (const signal of ['SIGTERM', 'SIGKILL'])
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        process.kill(-pid, tries === 0 ? signal : 0);
      } catch {
        return;
      }
      await sleep(50);
    }
}

/** Runs a block of shell; returns the answers to its requests. */
async function carryOut(shell, { home, env }) {
  const ports = [...new Set([...shell.matchAll(/\bPORT=(\d+)/g)].map(([, port]) => port))];
  const requests = shell.match(/\bcurl /g)?.length ?? 0;
  let script = shell;
  const free = [];
  for (const port of ports) {
    free.push(await freePort());
    script = script.replaceAll(port, String(free.at(-1)));
  }
  // The page gives the applications some seconds until they listen; here that takes as long as it takes.
  const listening = `sleep() {
    for port in ${free.join(' ')}; do
      until (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null; do command sleep 0.1; done
    done
  }`;
  // One write each, so that answers which come at once do not run into each other.
  const asking = `curl() { local answer; answer=$(command curl -sS "$@"); printf '${ANSWER}%s\\n' "$answer"; }`;
  // Files, not pipes: what stays in the background would hold a pipe open.
  const [output, errors] = ['output.txt', 'errors.txt'].map((name) => join(home, name));
  const [said, complained] = [output, errors].map((path) => openSync(path, 'w'));
  const child = spawn(
    'bash',
    ['-e', '-c', [...(ports.length > 0 ? [listening] : []), asking, script].join('\n')],
    {
      cwd: home,
      env,
      stdio: ['ignore', said, complained],
      detached: true,
    },
  );
  const answers = () =>
    readFileSync(output, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(ANSWER))
      .map((line) => line.slice(ANSWER.length));
  const limit = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), PATIENCE);
  const status = await new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  clearTimeout(limit);
  // A request in the background may be answered after the last command.
  for (let tries = 0; status === 0 && answers().length < requests && tries < 600; tries += 1)
    await sleep(100);
  await endGroup(child.pid);
  for (const file of [said, complained]) closeSync(file);
  const why = () => `${readFileSync(output, 'utf8')}${readFileSync(errors, 'utf8')}`;
  if (status !== 0) assert.fail(`The README says:\n${shell}\nThat ends with ${status}:\n${why()}`);
  if (answers().length < requests)
    assert.fail(`The README says:\n${shell}\nA request has no answer:\n${why()}`);
  return answers();
}

/** Follows the README in an empty project of `major`; returns how long that took, in words. */
export async function checkQuickStart({ major, dir, tarball, redis, page = join(root, 'README.md') }) {
  const steps = stepsOf(readFileSync(page, 'utf8'));
  assert.ok(
    steps.some(({ file }) => file) && steps.some(({ shell }) => shell?.includes(`npm install ${OURS}`)),
    'The quick start of the README names no file, or does not install the package',
  );
  const times = [];
  const timed = async (what, work) => {
    const began = performance.now();
    const value = await work();
    times.push(`${what} ${((performance.now() - began) / 1_000).toFixed(1)} s`);
    return value;
  };
  const home = join(dir, `quick-start-${major}`);
  await timed('an empty project', () => {
    const project = ['new', 'shop', '--directory', `quick-start-${major}`, '--package-manager', 'npm'];
    run(dir, [...CLI[major], ...project, '--skip-git', '--skip-install']);
    run(home, NPM);
  });

  const server = new URL(redis).host;
  const here = (text) => text.replaceAll('localhost:6379', server);
  const temporary = join(home, 'tmp');
  mkdirSync(temporary);
  const env = {
    ...process.env,
    REDIS_URL: redis,
    TMPDIR: temporary, // for what the applications of the page keep
    NODE_OPTIONS: '',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_prefer_offline: 'true',
  };
  let requests = 0;
  for (const { file, code, shell } of steps)
    if (file) {
      mkdirSync(dirname(join(home, file)), { recursive: true });
      writeFileSync(join(home, file), here(code));
    } else if (shell.includes(`npm install ${OURS}`)) {
      const install = shell.replace(`npm install ${OURS}`, `npm install file:${tarball}`);
      await timed('the package', () => carryOut(install, { home, env }));
    } else {
      const answers = await timed('the commands', () => carryOut(here(shell), { home, env }));
      if (answers.length === 0) continue;
      requests += answers.length;
      // Several processes have been asked at once; one of them did the work.
      assert.equal(new Set(answers).size, 1, `They do not answer the same:\n${answers.join('\n')}`);
      assert.doesNotMatch(answers[0], /"statusCode"/);
    }
  assert.ok(requests >= 2, 'The quick start of the README does not ask two processes for the same');
  return times.join(', ');
}
