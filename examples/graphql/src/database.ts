import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Locked } from 'nestjs-distributed-lock';
import { Pool } from 'pg';

@Injectable()
export class Database extends Pool implements OnModuleInit, OnApplicationShutdown {
  constructor() {
    super({
      connectionString:
        process.env['DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable',
    });
  }

  /** Two replicas that create one table at once would fail: they take turns. */
  @Locked('schema', { wait: '1m' })
  async onModuleInit(): Promise<void> {
    await this.query(`
      create table if not exists booking (show text, seat text, buyer text, primary key (show, seat));
      create table if not exists payment (show text, seat text, buyer text);
    `);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.end();
  }
}
