import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type Leader, type Lease, LockService } from 'nestjs-distributed-lock';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';

export abstract class Broker {
  abstract publish(id: string, message: string): Promise<void>;
}

@Injectable()
export class OutboxRelay implements OnApplicationBootstrap {
  leader?: Leader;

  constructor(
    private readonly locks: LockService,
    private readonly sql: Pool,
    private readonly broker: Broker,
  ) {}

  onApplicationBootstrap(): void {
    this.leader = this.locks.lead('outbox', { onElected: (lease) => this.relay(lease) });
  }

  private async relay(lease: Lease): Promise<void> {
    // Every earlier leader is refused from here on.
    await this.sql.query('update outbox_leader set fence = $1 where fence < $1', [lease.fence]);
    while (lease.held) if (!(await this.relayNext(lease.fence))) await sleep(100);
  }

  private async relayNext(fence: number): Promise<boolean> {
    const { rows } = await this.sql.query<{ id: string; message: string }>(
      'select id, message from outbox where sent_by is null order by id limit 1',
    );
    const [next] = rows;
    if (!next) return false;
    await this.broker.publish(next.id, next.message);
    const marked = await this.sql.query(
      'update outbox set sent_by = $2 where id = $1 and $2 = (select fence from outbox_leader)',
      [next.id, fence],
    );
    if (marked.rowCount === 0) throw new Error('A later leader relays the outbox.');
    return true;
  }
}
