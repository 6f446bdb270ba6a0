import { NestFactory } from '@nestjs/core';
import { startDatabase } from '../tools/database/start-database.js';
import { startRedis } from '../tools/redis/start-redis.js';
import { AppModule } from './app.module.js';

/** One instance of the flash sale, on Redis and PostgreSQL: given by URL, or embedded for as long as it runs. */
async function main(): Promise<void> {
  const forked = process.send !== undefined;
  const [redis, database] = await Promise.all([startRedis(), startDatabase()]);
  const app = await NestFactory.create(
    AppModule.forRoot({
      databaseUrl: database.url,
      redisUrl: redis.url,
      namespace: process.env.LOCK_NAMESPACE,
    }),
    // Without forceCloseConnections a client that keeps asking on one connection keeps the process alive.
    {
      abortOnError: false,
      forceCloseConnections: true,
      logger: forked ? ['warn', 'error', 'fatal'] : ['log', 'warn', 'error', 'fatal'],
    },
  );
  app.enableShutdownHooks();
  await app.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
  const url = await app.getUrl();
  if (forked) {
    // The launcher is gone, however it ended: give the locks back and go, too.
    process.on('disconnect', () => void app.close().finally(() => process.exit(0)));
    process.send?.({ url });
    return;
  }
  console.log(`
The flash sale is open (Redis: ${redis.kind}, database: ${database.kind}).

  curl ${url}/flash-sale/sneaker
  curl -X POST ${url}/flash-sale/sneaker/orders -H 'content-type: application/json' -d '{"buyer":"ann"}'
  curl -X POST '${url}/flash-sale/sneaker/orders?lock=off' -H 'content-type: application/json' -d '{"buyer":"bob"}'
  curl -X POST ${url}/flash-sale/sneaker/restock -H 'content-type: application/json' -d '{"quantity":100}'
`);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
