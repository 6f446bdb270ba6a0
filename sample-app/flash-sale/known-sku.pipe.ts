import { Injectable, NotFoundException, type PipeTransform } from '@nestjs/common';
import { Database } from '../database/database.js';

/**
 * Refuses an unknown item with 404 before anything is locked: names of locks are made of what clients send,
 * and whoever sends invented ones must not fill Redis with them.
 */
@Injectable()
export class KnownSkuPipe implements PipeTransform<string, Promise<string>> {
  constructor(private readonly database: Database) {}

  async transform(sku: string): Promise<string> {
    const [item] = await this.database.rows('select 1 from flash_sale.items where sku = $1', [sku]);
    if (item === undefined) throw new NotFoundException(`There is no item '${sku}'.`);
    return sku;
  }
}
