import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { localRequests } from './local-requests.js';
import { redisSettings } from './redis-settings.js';

/**
 * One instance of the flash sale, on the PostgreSQL of DATABASE_URL and the Redis that the environment names (see
 * redis-settings.ts). Without Redis its locks serialise this process only.
 */
async function main(): Promise<void> {
  const forked = process.send !== undefined;
  const { DATABASE_URL: databaseUrl } = process.env;
  const redis = redisSettings(process.env);
  if (!databaseUrl) throw new Error('Set DATABASE_URL, for example to postgres://localhost/postgres.');
  const app = await NestFactory.create(
    AppModule.forRoot({
      databaseUrl,
      redis,
      namespace: process.env.LOCK_NAMESPACE,
      ttl: milliseconds(process.env.LOCK_TTL),
      wait: milliseconds(process.env.LOCK_WAIT),
    }),
    // Without forceCloseConnections a client that keeps asking on one connection keeps the process alive.
    {
      abortOnError: false,
      forceCloseConnections: true,
      logger: forked ? ['warn', 'error', 'fatal'] : ['log', 'warn', 'error', 'fatal'],
    },
  );
  app.use(localRequests);
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
The flash sale is open${redis ? '' : ', with locks of this process only: REDIS_URL is not set'}.

  curl ${url}/flash-sale/sneaker
  curl -X POST ${url}/flash-sale/sneaker/orders -H 'content-type: application/json' -d '{"buyer":"ann"}'
  curl -X POST '${url}/flash-sale/sneaker/orders?lock=off' -H 'content-type: application/json' -d '{"buyer":"bob"}'
  curl -X POST ${url}/flash-sale/sneaker/restock -H 'content-type: application/json' -d '{"quantity":100}'
`);
}

function milliseconds(text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
