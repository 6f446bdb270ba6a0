import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Locked } from 'nestjs-distributed-lock';
import { Pool } from 'pg';

/** The statements that lead from an empty database to the present schema; new ones are appended. */
export const MIGRATIONS = Symbol('MIGRATIONS');

@Injectable()
export class SchemaMigration implements OnModuleInit {
  constructor(
    private readonly sql: Pool,
    @Inject(MIGRATIONS) private readonly migrations: readonly string[],
  ) {}

  @Locked('schema-migration', { wait: '5m' })
  async onModuleInit(): Promise<void> {
    await this.sql.query('create table if not exists schema_version (version integer primary key)');
    const { rows } = await this.sql.query<{ version: number }>(
      'select coalesce(max(version), 0) as version from schema_version',
    );
    for (let version = rows[0]!.version + 1; version <= this.migrations.length; version += 1) {
      // PostgreSQL runs the statements of one message in one transaction. The version comes first: if another process
      // had begun the same step, its row would stop this one.
      await this.sql.query(`insert into schema_version values (${version}); ${this.migrations[version - 1]}`);
    }
  }
}
