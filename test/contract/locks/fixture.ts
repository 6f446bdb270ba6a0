import type { LockServiceOptions } from '../../../lib/locks/lock-options.js';
import type { LockLog } from '../../../lib/locks/lock-log.js';
import type { LockReport } from '../../../lib/locks/inspector.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { Lag } from '../../support/lag.js';
import { until } from '../../support/eventually.js';

/** Opens a service at one and the same store. */
export type OpenLocks = (options?: OpenOptions) => LockService;

export type OpenOptions = LockServiceOptions & { readonly log?: LockLog };

let names = 0;

/** What each test of the contract has: two services that hear notices, and a name that nobody has used. */
export class Fixture {
  one!: LockService;
  two!: LockService;
  name = '';
  lag!: Lag;
  private extra: LockService[] = [];
  private used: string[] = [];

  constructor(private readonly openLocks: OpenLocks) {}

  /** Two services that have met at a lock before, so that both listen to their sessions' channels. */
  async build(): Promise<void> {
    [this.one, this.two] = [this.openLocks(), this.openLocks()];
    await Promise.all([this.one.ready(), this.two.ready()]);
    const name = this.another('warm');
    for (const [holder, waiter] of [
      [this.one, this.two],
      [this.two, this.one],
    ] as const) {
      const lease = await holder.acquire(name);
      const waiting = waiter.acquire(name);
      await this.queued(1, name);
      await new Promise((resolve) => setTimeout(resolve, 150)); // longer than a waiter asks that cannot hear yet
      await lease.release();
      await (await waiting).release();
    }
  }

  begin(): void {
    this.name = this.another('contract');
    this.lag = new Lag();
  }

  /** Closes what the test opened; nobody holds or waits for anything that it used. */
  async end(): Promise<void> {
    this.lag[Symbol.dispose]();
    await Promise.all(this.extra.splice(0).map((locks) => locks.close()));
    for (const name of this.used.splice(0))
      await until(`'${name}' is free`, async () => {
        const { inUse, queue } = await this.one.inspect(name);
        return inUse === 0 && queue.length === 0;
      });
  }

  async close(): Promise<void> {
    await Promise.all([this.one.close(), this.two.close()]);
  }

  /** A service of the test's own. */
  open(options: OpenOptions = {}): LockService {
    const locks = this.openLocks({ shutdownGrace: 0, ...options });
    this.extra.push(locks);
    return locks;
  }

  /** One more name that nobody has used. */
  another(what = 'more'): string {
    const name = `${what}:${process.pid}:${(names += 1)}`;
    this.used.push(name);
    return name;
  }

  report(name = this.name): Promise<LockReport> {
    return this.one.inspect(name);
  }

  /** Resolves when so many processes stand in the queue of the store. */
  async queued(length: number, name = this.name): Promise<void> {
    await until(`${length} in the queue`, async () => (await this.report(name)).queue.length === length);
  }
}
