import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** Stands in for the provider that takes the money: a call over the network, which no transaction can undo. */
@Injectable()
export class Payments {
  async charge(_buyer: string, signal: AbortSignal): Promise<string> {
    await sleep(20, undefined, { signal });
    return randomUUID();
  }
}
