import { createLockService } from '../../lib/locks/create-lock-service.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import type { ServerProcess } from '../../tools/redis/server-process.js';
import { Lag } from '../support/lag.js';

const CALLERS = 20;

export interface HalfMigrated {
  readonly operations: number;
  readonly errors: readonly string[];
  /** How many keys of the slot were at either node in the end. */
  readonly source: number;
  readonly target: number;
  readonly longest: number;
  readonly lag: number;
}

/**
 * Takes and gives names of one slot while the slot is left half-migrated: of the keys that are there some have moved,
 * and keys that are new belong to the target already. Each name is taken by two services in turn.
 */
export async function halfMigratedSlot(operations: number): Promise<HalfMigrated> {
  const servers = await ClusterServers.start();
  const open = () =>
    createLockService({ redis: { cluster: servers.addresses }, log: { warn: () => undefined } });
  const services = [open(), open()];
  try {
    const name = (index: number): string => `{half}-${index}`;
    const slot = await servers.slotOf(`lock:${name(0)}`);
    const source = await servers.masterOf(slot);
    const target = (await servers.mastersNow()).find((each) => each !== source) as ServerProcess;
    const [a, b] = services as [(typeof services)[0], (typeof services)[0]];
    const held = await Promise.all(Array.from({ length: CALLERS }, (_, index) => a.acquire(name(index))));
    await servers.beginMove(slot, target);
    await servers.moveKeys(slot, target, CALLERS / 2);

    using lag = new Lag();
    let [done, longest] = [0, 0];
    const errors: string[] = [];
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      const began = performance.now();
      try {
        await work();
      } catch (error) {
        errors.push((error as Error).message);
      }
      longest = Math.max(longest, performance.now() - began);
      done += 1;
    };
    // What is held is renewed and handed on: half of it at the source, half of it at the target.
    await Promise.all(
      held.map(async (lease, index) => {
        await attempt(() => lease.renew());
        const waits = b.acquire(name(index), { wait: 10_000 });
        await attempt(() => lease.release());
        await attempt(async () => (await waits).release());
      }),
    );
    let next = 0;
    const call = async (service: typeof a): Promise<void> => {
      while (done < operations) {
        const index = (next += 1) % (2 * CALLERS); // every other name is new
        await attempt(async () => {
          const lease = await service.acquire(name(index), { wait: 10_000 });
          await lease.renew();
          await lease.release();
        });
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, index) => call(index % 2 ? a : b)));
    const keysAt = async ({ admin }: ServerProcess): Promise<number> =>
      Number(await admin.call('CLUSTER', 'COUNTKEYSINSLOT', slot));
    const [atSource, atTarget] = [await keysAt(source), await keysAt(target)];
    return { operations: done, errors, source: atSource, target: atTarget, longest, lag: lag.max };
  } finally {
    await Promise.all(services.map((each) => each.close()));
    await servers.stop();
  }
}
