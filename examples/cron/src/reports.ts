import { Injectable, Logger } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { type Lease, Locked, LockedLease } from 'nestjs-distributed-lock';
import { oncePerFire } from 'nestjs-distributed-lock/schedule';

@Injectable()
export class Reports {
  private readonly log = new Logger(Reports.name);

  /** Each replica has this timer. At each fire one of them runs the method, and it does not matter which. */
  @Cron('*/2 * * * * *')
  @Locked('report', oncePerFire())
  async send(@LockedLease() lease?: Lease): Promise<void> {
    this.log.log(`sent ${lease?.names[0]} from process ${process.pid}`);
  }
}
