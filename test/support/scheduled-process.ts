// A replica of an application with one job for each fire, whose clock differs from the others':
//   node scheduled-process.ts URL SKEW MARK SHORTEST LONGEST → ready; "start|end FIRE" for each run; a line on standard input stops it
// The skew moves Date as it would on a machine with another clock, before anything reads it.
const [, , url = '', skew = '0', mark = 'start', shortest = '5', longest = '5'] = process.argv;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given: ConstructorParameters<typeof RealDate>) {
    if ((given as unknown[]).length === 0) super(RealDate.now() + Number(skew));
    else super(...given);
  }
  static override now(): number {
    return RealDate.now() + Number(skew);
  }
} as DateConstructor;

const { Injectable, Module } = await import('@nestjs/common');
const { NestFactory } = await import('@nestjs/core');
const { Cron, ScheduleModule } = await import('@nestjs/schedule');
const { DistributedLockModule, Locked, LockedLease } = await import('../../lib/index.js');
const { oncePerFire } = await import('../../lib/schedule/index.js');

@Injectable()
class Reports {
  @Cron('*/2 * * * * *')
  @Locked('nightly-report', oncePerFire({ mark: mark as 'start' | 'end', ttl: '1s' }))
  async report(@LockedLease() lease?: { names: readonly string[] }): Promise<undefined> {
    const fire = lease?.names[0]?.slice('nightly-report:'.length);
    console.log(`start ${fire}`);
    const length = Number(shortest) + Math.random() * (Number(longest) - Number(shortest));
    await new Promise((resolve) => setTimeout(resolve, length));
    console.log(`end ${fire}`);
    return undefined;
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), DistributedLockModule.forRoot({ redis: url })],
  providers: [Reports],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
console.log('ready');
process.stdin.once('data', () => void app.close().then(() => process.exit()));
