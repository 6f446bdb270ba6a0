import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as plain from 'nestjs-distributed-lock';

/** A minified bundle and the package as it was installed meet at one Redis: the same keys, scripts and errors. */
async function main(): Promise<void> {
  const load = createRequire(join(process.cwd(), 'any.js'));
  const bundle = load('./bundle.cjs') as typeof plain;
  assert.notEqual(bundle.createLockService, plain.createLockService);
  const options = { redis: process.env['REDIS_URL'], namespace: process.env['NAMESPACE'] };
  const [mine, theirs] = [bundle.createLockService(options), plain.createLockService(options)];

  const lease = await mine.acquire('bundle');
  assert.equal((await mine.inspect('bundle')).key, (await theirs.inspect('bundle')).key);
  const refusal: unknown = await theirs.acquire('bundle', { wait: 50 }).catch((error: unknown) => error);
  assert.ok(bundle.LockError.is(refusal) && refusal.code === 'LOCK_BUSY');
  const waiting = theirs.acquire('bundle');
  while ((await mine.inspect('bundle')).queue.length === 0);
  await lease.renew();
  await lease.release();
  const next = await waiting;
  assert.ok(next.fence > lease.fence);
  const revoked = await mine.revoke('bundle', { reason: 'test' });
  assert.ok(revoked);
  await next.release();
  await Promise.all([mine.close(), theirs.close()]);
}

void main();
