import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { ServerProcess } from '../../../tools/redis/server-process.js';
import type { Bed } from '../faults/harness/bed.js';
import { monotonic } from '../faults/harness/history.js';
import { ChaosFixture, TTL } from './chaos-fixture.js';

const GLANCE = 100;

/** Workers that lock at several servers, to which things are done. */
export class TopologyFixture<Servers> extends ChaosFixture {
  /** How often a node took another one's place although nothing was done to either: the machine was too slow for them. */
  surprises = 0;
  private expected = 0;
  /** When the last change of roles that was ours was over. */
  private expectedUntil = -Infinity;

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
      await this.promoting(fault);
    } finally {
      this.excuse(at);
    }
  }

  /** Does what gives a master's place to another node. */
  async promoting(fault: () => Promise<unknown>): Promise<void> {
    this.expected += 1;
    try {
      await fault();
    } finally {
      this.expected -= 1;
      this.expectedUntil = monotonic();
    }
  }

  /**
   * Looks at the role of all nodes. On a machine that stands still for longer than nodes have patience they replace each
   * other, and the last writes may be lost as if a master had been killed. Ends with what it returns.
   */
  watchRoles(nodes: readonly ServerProcess[]): () => void {
    let over = false;
    const watch = async (node: ServerProcess): Promise<void> => {
      let [before, seen] = ['', monotonic()];
      while (!over) {
        const asked = monotonic();
        const role = await Promise.race([roleOf(node), sleep(2_000).then(() => before)]);
        if (before !== '' && role !== before && this.expected === 0 && seen > this.expectedUntil) {
          if (role === 'master') this.surprises += 1;
          this.excuse(seen);
        }
        [before, seen] = [role, asked];
        await sleep(GLANCE);
      }
    };
    for (const node of nodes) void watch(node);
    return () => (over = true);
  }

  private excuse(at: number): void {
    this.bed.add({ type: 'state-lost', at, until: monotonic() + TTL, maybe: true });
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

async function roleOf({ admin }: ServerProcess): Promise<string> {
  const [role] = (await admin.role().catch(() => [''])) as [string];
  return role;
}
