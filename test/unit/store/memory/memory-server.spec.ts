import type { Clock } from '../../../../lib/base/clock.js';
import type { LockNotice } from '../../../../lib/store/lock-operation.js';
import { WHOLE } from '../../../../lib/store/lock-machine.js';
import { MemoryServer } from '../../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../../lib/store/session-id.js';
import { Peer } from '../../../../lib/testing/contract/peer.js';

/** A clock that stands still until it is told to go on. */
function handClock() {
  let now = 0;
  const timers = new Set<{ at: number; fire: () => void }>();
  const clock = {
    now: () => now,
    after: (ms: number, fire: () => void) => {
      const timer = { at: now + ms, fire };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  } as Clock;
  const advance = (ms: number): void => {
    const end = now + ms;
    for (;;) {
      const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      timers.delete(next);
      now = next.at;
      next.fire();
    }
    now = end;
  };
  return { clock, advance, timers };
}

describe('the memory server', () => {
  let time: ReturnType<typeof handClock>;
  beforeEach(() => (time = handClock()));
  const open = (server: MemoryServer) => new MemoryStore(server, newSession(), time.clock);

  it('forgets idle names after a while, with one timer for all of them', async () => {
    const server = new MemoryServer(time.clock, 60_000);
    const store = open(server);
    for (let name = 0; name < 10_000; name += 1) {
      const peer = new Peer(store, `name ${name}`);
      const id = peer.id();
      await peer.granted(id);
      if (name > 0) await peer.release(id);
    }
    expect([server.size, time.timers.size]).toEqual([10_000, 1]);
    time.advance(59_000);
    expect(server.size).toBe(10_000);
    time.advance(5_000);
    expect(server.size).toBe(1); // the hold that was never released, for its ttl, guard and memory
    time.advance(10_000);
    expect([server.size, time.timers.size]).toEqual([0, 0]);
    await store.close();
  });

  it('forgets names as fast as new ones come, a bounded number at a time', () => {
    const server = new MemoryServer(time.clock, 1_000);
    const session = newSession();
    server.connect(session, () => true);
    const asked = { units: WHOLE, capacity: WHOLE, ttl: 1_000_000, guard: 0, block: 1, wait: 0 };
    const waits = { subscribed: false, seal: '-', identity: 'host:1' };
    const sizes: number[] = [];
    for (let name = 0; name < 200_000; name += 1) {
      const id = `${session}.${name}`;
      server.apply(`name ${name}`, { kind: 'acquire', id, ...asked, ...waits });
      server.apply(`name ${name}`, { kind: 'release', id, used: 0, keep: 0, done: 0 });
      if (name % 100 > 0) continue;
      time.advance(10); // 10 000 a second
      sizes.push(server.size);
    }
    expect(Math.max(...sizes)).toBeLessThan(80_000);
    for (const [at, size] of sizes.entries())
      expect((sizes[at - 1] ?? 0) - size).toBeLessThanOrEqual(2 * 4_096);
    time.advance(20_000);
    expect([server.size, time.timers.size]).toEqual([0, 0]);
  });

  it('keeps no record of a name that is free when nothing shall be remembered', async () => {
    const server = new MemoryServer(time.clock, 0);
    const peer = new Peer(open(server), 'name');
    const id = peer.id();
    await peer.granted(id);
    time.advance(1);
    await peer.release(id);
    expect(server.size).toBe(0);
  });

  it('keeps no record for a question about a name that nobody used', async () => {
    const server = new MemoryServer(time.clock);
    const peer = new Peer(open(server), 'name');
    await peer.renew(peer.id());
    await peer.release(peer.id());
    await peer.acquire(peer.id(), { notAfter: server.time() - 1 });
    expect(server.size).toBe(0);
  });

  it('gives growing fences while its clock stands still', async () => {
    const peer = new Peer(open(new MemoryServer(time.clock)), 'name');
    const fences: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const id = peer.id();
      const { first } = await peer.granted(id);
      fences.push(first);
      await peer.release(id, { used: first });
    }
    expect(new Set(fences).size).toBe(5);
    expect([...fences].sort()).toEqual(fences);
  });

  it('leaves no timer when its last session is closed', async () => {
    const server = new MemoryServer(time.clock);
    const [one, two] = [open(server), open(server)];
    const peer = new Peer(one, 'name');
    await peer.acquire(peer.id());
    await one.close();
    expect(time.timers.size).toBe(1);
    await two.close();
    expect(time.timers.size).toBe(0);
  });

  it('never calls a listener while a caller is still in its call, and keeps the order of notices', async () => {
    const store = open(new MemoryServer(time.clock));
    const peer = new Peer(store, 'name');
    const heard: LockNotice['kind'][] = [];
    store.listen({ notice: (_, { kind }) => void heard.push(kind), wake: () => undefined });
    store.subscribe();
    const [holder, next] = [peer.id(), peer.id()];
    await peer.acquire(holder);
    const calls = [peer.acquire(next), peer.revoke(), peer.release(holder)];
    expect(heard).toEqual([]);
    await Promise.all(calls);
    expect(heard).toEqual(['contended', 'echo', 'revoked', 'granted']);
  });
});
