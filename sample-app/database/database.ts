import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Locked } from 'nestjs-distributed-lock';
import pg from 'pg';
import { SCHEMA } from './schema.js';

export const DATABASE_URL = Symbol('DATABASE_URL');

/** The SQL database. Each statement commits by itself: no transaction hides what two processes do to each other. */
@Injectable()
export class Database implements OnModuleInit, OnApplicationShutdown {
  private readonly pool: pg.Pool;

  constructor(@Inject(DATABASE_URL) url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: 4 });
    // An idle connection that breaks is replaced at the next statement, which reports what is wrong.
    this.pool.on('error', () => undefined);
  }

  /** One process at a time: `if not exists` of two sessions at once fails in PostgreSQL. */
  @Locked('flash-sale-schema')
  async onModuleInit(): Promise<void> {
    for (const statement of SCHEMA) await this.rows(statement);
  }

  /** Runs one statement and returns its rows. */
  async rows<T extends pg.QueryResultRow>(statement: string, values: readonly unknown[] = []): Promise<T[]> {
    const { rows } = await this.pool.query<T>(statement, [...values]);
    return rows;
  }

  /** After the last request, and so after the last release of a lock. */
  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
