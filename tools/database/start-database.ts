import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { startChildServer } from '../child-server.js';

export interface RunningDatabase {
  readonly url: string;
  /** `given`: DATABASE_URL. `embedded`: PostgreSQL compiled to WebAssembly, in memory, in a process of its own. */
  readonly kind: 'given' | 'embedded';
  stop(): Promise<void>;
}

/** Statements of all connections take turns in PGlite, one by one; each is small enough to arrive in one piece. */
const SCRIPT = `
  const [{ PGlite }, { PGLiteSocketServer }] = await Promise.all(process.argv.slice(1).map((url) => import(url)));
  const db = await PGlite.create();
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 100 });
  await server.start();
  process.send({ url: 'postgres://postgres@' + server.getServerConn() + '/postgres?sslmode=disable' });
`;

/** A PostgreSQL without preparation: DATABASE_URL, else PGlite behind a socket. */
export async function startDatabase(): Promise<RunningDatabase> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== '') return await givenDatabase(given);
  return { kind: 'embedded', ...(await startChildServer('PGlite', SCRIPT, ...entriesOfPGlite())) };
}

function entriesOfPGlite(): string[] {
  const { resolve } = createRequire(import.meta.url);
  try {
    return ['@electric-sql/pglite', '@electric-sql/pglite-socket'].map(
      (name) => pathToFileURL(resolve(name)).href,
    );
  } catch {
    throw new Error('No database: PGlite is missing. Run npm ci, or set DATABASE_URL to a PostgreSQL.');
  }
}

async function givenDatabase(url: string): Promise<RunningDatabase> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  try {
    await client.connect();
    await client.query('select 1');
  } catch (error) {
    const shown = url.replace(/\/\/[^@/]*@/, '//***@');
    const why = (error as Error).message || (error as { code?: string }).code;
    throw new Error(`DATABASE_URL (${shown}) does not answer: ${why}. Start it, or unset DATABASE_URL.`);
  } finally {
    await client.end().catch(() => undefined);
  }
  return { url, kind: 'given', stop: () => Promise.resolve() };
}
