import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { once } from 'node:events';
import pg from 'pg';
import { freePort } from '../../tools/free-port.js';
import { guardAgainstOrphan } from '../../tools/orphan-guard.js';
import { until } from '../../tools/patience.js';
import { Missing } from './toolchain.js';

/** More than all callers of a scenario at once. */
const MOST_CONNECTIONS = 200;

/** A PostgreSQL of this run, in a folder of its own: `postgres` on PATH, and `initdb` beside it. */
export class PostgresServer {
  private constructor(
    readonly url: string,
    readonly version: string,
    private readonly child: ChildProcess,
    private readonly cleanUp: () => void,
  ) {}

  /** @throws Missing where there is none */
  static async start(): Promise<PostgresServer> {
    const binaries = binaryFolder();
    const folder = mkdtempSync(join(tmpdir(), 'lock-postgres-'));
    const user = servant();
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid ?? 0);
    const data = join(folder, 'data');
    const init = ['-D', data, '-A', 'trust', '-U', 'bench', '--no-sync'];
    execFileSync(join(binaries, 'initdb'), init, { ...user, cwd: folder, stdio: 'ignore' });
    const port = await freePort();
    const settings = ['-p', String(port), '-k', folder, '-c', `max_connections=${MOST_CONNECTIONS}`];
    const args = ['-D', data, '-h', '127.0.0.1', ...settings];
    const child = spawn(join(binaries, 'postgres'), args, { ...user, cwd: folder, stdio: 'ignore' });
    const disarm = guardAgainstOrphan(`kill -3 ${child.pid}; sleep 1; rm -rf '${folder}'`);
    const cleanUp = (): void => {
      disarm();
      rmSync(folder, { recursive: true, force: true });
    };
    const url = `postgres://bench@127.0.0.1:${port}/postgres`;
    let version = '';
    await until('PostgreSQL answers', async () => (version = await versionAt(url)) !== '');
    return new PostgresServer(url, version, child, cleanUp);
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGINT');
    await exited;
    this.cleanUp();
  }
}

function binaryFolder(): string {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      return dirname(realpathSync(join(folder, 'postgres')));
    } catch {
      continue;
    }
  }
  throw new Missing('there is no postgres on PATH');
}

/** Whom the server runs as: it refuses to be root's. */
function servant(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (what: string): number => {
    try {
      return Number(execFileSync('id', [what, 'postgres'], { stdio: 'pipe' }).toString());
    } catch {
      throw new Missing('this is root, as whom PostgreSQL does not run, and there is no user postgres');
    }
  };
  return { uid: id('-u'), gid: id('-g') };
}

async function versionAt(connectionString: string): Promise<string> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version.split(' ')[0] ?? '';
  } catch {
    return '';
  } finally {
    await client.end().catch(() => undefined);
  }
}
