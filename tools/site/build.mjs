// Builds the documentation as a static site: npm run docs [-- --serve]. Everything is made below .tmp/site, where VitePress and
// TypeDoc are installed by their own lock file; DOCS_BASE is the path below which the site will be served.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atAddress, groupsOf, pagesOf, repositoryOf } from './pages.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const site = join(root, '.tmp/site');
const content = join(site, 'content');

/** What users import; TypeDoc makes a page for each. */
const ENTRIES = [
  'index',
  'plain',
  'opentelemetry/index',
  'terminus/index',
  'schedule/index',
  'swagger/index',
  'testing/index',
];

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: site, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} ended with ${status}`);
}

/** Installs the generators, unless the same ones are there. */
function install() {
  mkdirSync(site, { recursive: true });
  const lock = readFileSync(join(here, 'package-lock.json'), 'utf8');
  const installed = join(site, 'node_modules/.installed');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return;
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(here, file), join(site, file));
  run('npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts');
  writeFileSync(installed, lock);
}

function writePages() {
  rmSync(content, { recursive: true, force: true });
  const pages = pagesOf(root);
  const repository = repositoryOf(root);
  const picture = (path) => cpSync(join(root, path), join(content, path));
  for (const [path, address] of pages) {
    mkdirSync(dirname(join(content, address)), { recursive: true });
    const text = readFileSync(join(root, path), 'utf8');
    writeFileSync(join(content, address), atAddress(text, path, { root, pages, repository, picture }));
  }
  // Coding agents look for these at the root.
  mkdirSync(join(content, 'public/skills/nestjs-distributed-lock'), { recursive: true });
  cpSync(join(root, 'llms.txt'), join(content, 'public/llms.txt'));
  cpSync(join(root, 'skills'), join(content, 'public/skills'), { recursive: true });

  const config = join(content, '.vitepress');
  mkdirSync(config, { recursive: true });
  cpSync(join(here, 'config.mjs'), join(config, 'config.mjs'));
  cpSync(join(here, 'pages.mjs'), join(config, 'pages.mjs'));
  const api = { text: 'API', items: [{ text: 'API reference', link: '/docs/api/' }] };
  const groups = {
    en: [...groupsOf('README.md', root, pages), api],
    zh: [
      ...groupsOf('README.zh-CN.md', root, pages),
      { text: 'API', items: [{ text: 'API 参考', link: '/docs/api/' }] },
    ],
  };
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const base = process.env.DOCS_BASE ?? '/';
  writeFileSync(join(config, 'site.json'), JSON.stringify({ groups, version, repository, base }));
}

function writeApi() {
  const flags = {
    tsconfig: join(root, 'tsconfig.lib.json'),
    out: join(content, 'docs/api'),
    plugin: 'typedoc-plugin-markdown',
    name: 'API reference',
    readme: 'none',
    entryFileName: 'index',
    modifierTags: '@publicApi',
    excludeTags: '@publicApi',
    hideBreadcrumbs: 'true',
    hidePageHeader: 'true',
    disableSources: 'true',
    excludeInternal: 'true',
    excludePrivate: 'true',
    excludeExternals: 'true',
    sanitizeComments: 'true',
    logLevel: 'Error',
  };
  run(
    join(site, 'node_modules/.bin/typedoc'),
    ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ...ENTRIES.map((entry) => join(root, 'lib', `${entry}.ts`)),
  );
}

/** TypeDoc calls modules by their files; users know them by what they import. */
function nameModules() {
  const api = join(content, 'docs/api');
  const change = (path, changed) => writeFileSync(path, changed(readFileSync(path, 'utf8')));
  const imported = (module) =>
    module === 'index' ? 'nestjs-distributed-lock' : `nestjs-distributed-lock/${module}`;
  change(join(api, 'index.md'), (text) =>
    text.replace(/^- \[(\w+)\]/gm, (_, module) => `- [${imported(module)}]`),
  );
  for (const module of ENTRIES.map((entry) => entry.split('/')[0]))
    change(join(api, module, 'index.md'), (text) => text.replace(/^# .*$/m, `# ${imported(module)}`));
}

const begun = performance.now();
const seconds = () => `${((performance.now() - begun) / 1_000).toFixed(0)} s`;
install();
console.log(`installed (${seconds()})`);
writePages();
writeApi();
nameModules();
console.log(`pages and API reference written (${seconds()})`);
run(join(site, 'node_modules/.bin/vitepress'), 'build', 'content');
console.log(`The site is in .tmp/site/html (${seconds()}). To look at it: npm run docs -- --serve`);
if (process.argv.includes('--serve')) run(join(site, 'node_modules/.bin/vitepress'), 'preview', 'content');
