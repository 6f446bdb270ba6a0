import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Locked, lockName } from 'nestjs-distributed-lock';
import { Pool } from 'pg';

export interface PaymentEvent {
  readonly id: string;
  readonly order: string;
}

export abstract class Receipts {
  /** Sends an e-mail. `key` lets the mail service recognise a repeat. */
  abstract send(order: string, key: string): Promise<void>;
}

@Controller('webhooks')
export class WebhookController {
  constructor(
    private readonly sql: Pool,
    private readonly receipts: Receipts,
  ) {}

  /** The deliveries of one event take turns; a repeat waits for the first and finds its row. */
  @Post('payments')
  @HttpCode(200)
  @Locked((event: PaymentEvent) => lockName('webhook', event.id), { wait: '3s' })
  async paid(@Body() event: PaymentEvent): Promise<{ repeated: boolean }> {
    const handled = await this.sql.query('select from webhook_event where id = $1', [event.id]);
    if (handled.rowCount === 1) return { repeated: true };
    await this.receipts.send(event.order, event.id);
    await this.sql.query('insert into webhook_event (id) values ($1)', [event.id]);
    return { repeated: false };
  }
}
