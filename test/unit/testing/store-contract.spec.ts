import { SystemClock } from '../../../lib/base/clock.js';
import type { LatchAnswer, LatchOperation } from '../../../lib/store/latch-machine.js';
import type { LockNotice, LockOperation } from '../../../lib/store/lock-operation.js';
import type { Answered } from '../../../lib/store/lock-store.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { type LockStoreListener, storeContract } from '../../../lib/testing/index.js';

/** A store that breaks its promises where a subclass says so. */
class BrokenStore extends MemoryStore {
  constructor(
    readonly memory: MemoryServer,
    clock: SystemClock,
  ) {
    super(memory, newSession(), clock);
  }

  /** What is done instead of an operation. */
  instead(_name: string, operation: LockOperation): LockOperation {
    return operation;
  }

  hears(_notice: LockNotice): boolean {
    return true;
  }

  override execute<O extends LockOperation>(name: string, operation: O, timeout: number) {
    return super.execute(name, this.instead(name, operation), timeout) as Promise<Answered<O>>;
  }

  override listen(listener: LockStoreListener): void {
    super.listen({
      wake: () => listener.wake(),
      notice: (name, notice) => {
        if (this.hears(notice)) listener.notice(name, notice);
      },
    });
  }
}

class ReadsLate extends BrokenStore {
  override instead(_name: string, operation: LockOperation): LockOperation {
    if (operation.kind !== 'acquire' && operation.kind !== 'renew') return operation;
    const { notAfter: _, ...rest } = operation;
    return rest;
  }
}

class ReleasesForStrangers extends BrokenStore {
  override instead(name: string, operation: LockOperation): LockOperation {
    if (operation.kind !== 'release') return operation;
    const [holder] = this.memory.read(name).state.holders;
    return holder ? { ...operation, id: holder.id } : operation;
  }
}

class ForgetsUsedFences extends BrokenStore {
  override instead(_name: string, operation: LockOperation): LockOperation {
    return operation.kind === 'renew' ? { ...operation, used: 0 } : operation;
  }
}

class TellsNoHolder extends BrokenStore {
  override hears({ kind }: LockNotice): boolean {
    return kind !== 'contended' && kind !== 'revoked';
  }
}

class CountsTwice extends BrokenStore {
  override latch(name: string, operation: LatchOperation, timeout: number): Promise<LatchAnswer> {
    const anew =
      operation.kind === 'down' ? { ...operation, id: `${operation.id}${Math.random()}` } : operation;
    return super.latch(name, anew, timeout);
  }
}

/** The cases of the contract that a store fails, by their names. */
async function failures(Store: typeof BrokenStore): Promise<string[]> {
  const clock = new SystemClock();
  const servers = new Map<number, MemoryServer>();
  const contract = storeContract(
    ({ fenceMemory }) => {
      const server = servers.get(fenceMemory) ?? new MemoryServer(clock, fenceMemory);
      servers.set(fenceMemory, server);
      return Promise.resolve(new Store(server, clock));
    },
    { patience: 300 },
  );
  const failed: string[] = [];
  for (const { name, run } of contract.cases) await run().catch(() => failed.push(name));
  await contract.close();
  return failed;
}

describe('the exported contract of a store', () => {
  it('passes for a store that breaks nothing', async () => {
    expect(await failures(BrokenStore)).toEqual([]);
  });

  it.each([
    [
      'carries out commands that it reads late',
      ReadsLate,
      ['acquire: changes nothing when it is read late', 'renew: that is read late changes nothing'],
    ],
    [
      'lets anybody release a lock',
      ReleasesForStrangers,
      [
        'hand-off: counts weights against the capacity',
        'expiry: frees the lock after ttl and guard, and the former holder has lost it',
        'renew: says whether others wait',
        'release: answers a repeat the same, and a stranger gone',
        'release: leaves the queue, and lets those behind through',
      ],
    ],
    [
      'forgets which fences were used',
      ForgetsUsedFences,
      [
        'hand-off: is confirmed by a renewal',
        'renew: moves the deadline, and the block ends at the last used fence plus its size, never lower',
      ],
    ],
    [
      'tells holders nothing',
      TellsNoHolder,
      [
        'notices: tell an exclusive holder once that somebody waits',
        'take-over: keeps the places of those who wait, and tells the new holder of them',
        'revoke: tells the holder why, refuses its renewals, and frees the lock at its release',
        'revoke: by force frees the lock at once, with fences above those of the old holder',
      ],
    ],
    [
      'counts a repeat twice',
      CountsTwice,
      ['latch: counts each id once, from whichever session, and stays open'],
    ],
  ])('fails for a store that %s', async (_what, Store, names) => {
    expect(await failures(Store)).toEqual(names);
  });

  it('fails in each of its cases for a place that cannot be reached', async () => {
    const contract = storeContract(() => Promise.reject(new Error('nobody is there')));
    for (const { run } of contract.cases) await expect(run()).rejects.toThrow('nobody is there');
    await contract.close();
  });

  it('has a name of its own for each case, which begins with its part', () => {
    const names = storeContract(() => Promise.reject(new Error('not opened'))).cases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(60);
    for (const name of names) expect(name).toMatch(/^[a-z -]+: \S/);
  });
});
