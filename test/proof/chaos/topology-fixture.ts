import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { ServerProcess } from '../../../tools/redis/server-process.js';
import type { Bed } from '../faults/harness/bed.js';
import { monotonic } from '../faults/harness/history.js';
import { ChaosFixture, TTL } from './chaos-fixture.js';

/** Workers that lock at several servers, to which things are done. */
export class TopologyFixture<Servers> extends ChaosFixture {
  constructor(
    bed: Bed,
    readonly servers: Servers,
    redis: Readonly<Record<string, unknown>>,
  ) {
    super(bed, () => ({ url: '', redis }));
  }

  /**
   * Does what may lose the last writes, which no server of asynchronous replicas can help: from then on for as long as
   * leases of before may be believed, nobody is blamed for an overlap. The fenced counters are never excused.
   */
  async losing(fault: () => Promise<unknown>): Promise<void> {
    const at = monotonic();
    try {
      await fault();
    } finally {
      this.bed.add({ type: 'state-lost', at, until: monotonic() + TTL, maybe: true });
    }
  }

  /** Words to a server over a connection that does not wait behind others. */
  async tell(whom: () => Promise<ServerProcess>, ...words: [string, ...(string | number)[]]): Promise<void> {
    const { port } = await whom();
    const client = new Redis({
      port,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined);
    const [command, ...args] = words;
    await Promise.race([client.call(command, ...args).catch(() => undefined), sleep(2_000)]);
    client.disconnect();
  }
}
