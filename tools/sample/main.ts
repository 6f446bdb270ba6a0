import { startDatabase } from '../database/start-database.js';
import { startRedis } from '../redis/start-redis.js';

/** Starts the sample on REDIS_URL and DATABASE_URL, or on servers that are embedded for as long as it runs. */
async function main(): Promise<void> {
  const [redis, database] = await Promise.all([startRedis(), startDatabase()]);
  process.env.REDIS_URL = redis.url;
  process.env.DATABASE_URL = database.url;
  console.log(`Redis: ${redis.kind}, database: ${database.kind}.`);
  await import('../../sample-app/main.js');
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
