import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Database } from './database.js';

/** Stands in for the provider that takes the money, and keeps a list of who paid. */
@Injectable()
export class Cashier {
  constructor(private readonly sql: Database) {}

  async charge(show: string, seat: string, buyer: string): Promise<void> {
    await sleep(20);
    await this.sql.query('insert into payment (show, seat, buyer) values ($1, $2, $3)', [show, seat, buyer]);
  }
}
