import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { DistributedLockModule, LockLostError, lockName, LockService } from 'nestjs-distributed-lock';

/** What both recipes offer. */
interface Accounts {
  withdraw(id: string, cents: number): Promise<number>;
}

/** A recipe over an open database. */
export interface Recipe<S extends Accounts> {
  readonly service: new (...args: never[]) => S;
  readonly token: Type;
  readonly client: unknown;
  /** A service of these locks whose transactions begin when `before` has resolved. */
  late(locks: LockService, before: () => Promise<void>): S;
  open(balance: number): Promise<void>;
  balance(): Promise<number>;
}

/** PostgreSQL in memory, behind a socket, as the drivers want it. */
export async function openDatabase() {
  const db = await PGlite.create();
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 100 });
  await server.start();
  const url = `postgres://postgres@${server.getServerConn()}/postgres?sslmode=disable`;
  const close = async (): Promise<void> => {
    await server.stop();
    await db.close();
  };
  return { url, close, exec: (statement: string) => db.exec(statement) };
}

/** Two applications on one Redis and one database withdraw money by the recipe. */
export async function checkRecipe<S extends Accounts>(recipe: Recipe<S>): Promise<void> {
  const options = { redis: process.env['REDIS_URL'], namespace: `recipe-${randomUUID()}` };
  const open = async () => {
    @Module({
      imports: [DistributedLockModule.forRoot(options)],
      providers: [{ provide: recipe.token, useValue: recipe.client }, recipe.service],
    })
    class AppModule {}
    return await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  };
  const [first, second] = await Promise.all([open(), open()]);
  const [one, other] = [first, second].map((app) => app.get<S>(recipe.service as Type<S>)) as [S, S];

  await recipe.open(100);
  await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? one : other).withdraw('ann', n)));
  assert.equal(await recipe.balance(), 55);
  await assert.rejects(one.withdraw('ann', 56), /There is not enough money/);
  await assert.rejects(one.withdraw('nobody', 1), /or nobody/);
  assert.equal(await recipe.balance(), 55);

  let begin!: () => void;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  let reached!: () => void;
  const atDoor = new Promise<void>((resolve) => (reached = resolve));
  const locks = first.get(LockService);
  const late = recipe.late(locks, () => {
    reached();
    return begun;
  });
  const refused = late.withdraw('ann', 50).catch((error: unknown) => error);
  await atDoor;
  await locks.revoke(lockName('account', 'ann'), { reason: 'test', force: true });
  assert.equal(await other.withdraw('ann', 5), 50);
  begin();
  const lost = await refused;
  assert.ok(lost instanceof LockLostError, String(lost));
  assert.match(String(lost.cause), /A later holder/);
  assert.equal(await recipe.balance(), 50);
  await Promise.all([first.close(), second.close()]);
}
