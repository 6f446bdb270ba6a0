import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Locked } from 'nestjs-distributed-lock';
import { DataSource } from 'typeorm';
import { Item } from './entities.js';

/** Makes the tables. Replicas that start together take turns; an application of yours runs its migrations here. */
@Injectable()
export class Schema implements OnModuleInit {
  constructor(private readonly database: DataSource) {}

  @Locked('schema', { wait: '1m' })
  async onModuleInit(): Promise<void> {
    await this.database.synchronize();
    await this.database
      .createQueryBuilder()
      .insert()
      .into(Item)
      .values({ sku: 'sneaker', left: 10 })
      .orIgnore()
      .execute();
  }
}
