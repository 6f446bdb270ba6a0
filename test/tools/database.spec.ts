import pg from 'pg';
import { startChildServer } from '../../tools/child-server.js';
import { startDatabase } from '../../tools/database/start-database.js';

const saved = { ...process.env };

afterEach(() => {
  process.env = { ...saved };
});

describe('a database without preparation', () => {
  it('serves many connections at once, a statement at a time, and ends', async () => {
    delete process.env.DATABASE_URL;
    const database = await startDatabase();
    expect(database.kind).toBe('embedded');
    const pool = new pg.Pool({ connectionString: database.url, max: 12 });
    pool.on('error', () => undefined);
    const echo = (n: number) =>
      pool.query<{ n: number; text: string }>('select $1::int as n, $2 as text', [n, `${n}`]);
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => echo(n)));
    expect(answers.every(({ rows: [row] }, n) => row?.n === n && row.text === `${n}`)).toBe(true);
    await pool.end();
    await database.stop();
    await database.stop();
    const late = new pg.Client({ connectionString: database.url });
    await expect(late.connect()).rejects.toThrow();
  }, 60_000);

  it('says in one line that DATABASE_URL does not answer, without its password', async () => {
    process.env.DATABASE_URL = 'postgres://ann:secret@127.0.0.1:1/shop';
    await expect(startDatabase()).rejects.toThrow(
      /^DATABASE_URL \(postgres:\/\/\*\*\*@127\.0\.0\.1:1\/shop\) does not answer: .+ Start it, or unset DATABASE_URL\.$/,
    );
  });
});

describe('a server in a child process', () => {
  it('tells why it did not start', async () => {
    await expect(startChildServer('It', "throw new TypeError('no such thing')")).rejects.toThrow(
      'It did not start: TypeError: no such thing',
    );
    await expect(startChildServer('It', 'process.exit(3)')).rejects.toThrow(
      'It did not start: it ended with code 3',
    );
  });
});
