import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import type { Lease } from '../../../lib/locks/lock.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import type { Leader, StepDownReason } from '../../../lib/locks/leadership.js';
import { until } from '../../support/eventually.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate } from './gate.js';

/** A candidate that remembers what happened to it. */
class Candidate {
  readonly leases: Lease[] = [];
  readonly steps: StepDownReason[] = [];
  readonly leader: Leader;

  constructor(
    locks: LockService,
    name: string,
    elected: (lease: Lease) => Promise<void> = () => Promise.resolve(),
  ) {
    this.leader = locks.lead(
      name,
      {
        onElected: (lease) => {
          this.leases.push(lease);
          return elected(lease);
        },
        onRevoked: (reason) => void this.steps.push(reason),
      },
      { ttl: 300 },
    );
  }

  async leads(): Promise<void> {
    await until('it leads', () => this.leader.leading);
  }
}

/** A service of its own, and what it logs of the test's name. */
function logging(fixture: Fixture): { locks: LockService; lines: string[] } {
  const lines: string[] = [];
  const warn = (line: string): void => void (line.includes(`'${fixture.name}'`) && lines.push(line));
  return { locks: fixture.open({ log: { warn } }), lines };
}

function rejected(error: unknown): Promise<void> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- users' code may do that
  return Promise.reject(error);
}

export function leadContract(fixture: Fixture): void {
  it('is one at a time; when it stops, the next leads, with a higher fence', async () => {
    const { one, two, name } = fixture;
    const first = new Candidate(one, name);
    await first.leads();
    const second = new Candidate(two, name);
    await fixture.queued(1);
    expect([first.leader.leading, second.leader.leading]).toEqual([true, false]);
    await first.leader.stop();
    expect([first.leader.leading, first.steps]).toEqual([false, ['stopped']]);
    await second.leads();
    expect(second.leases[0]?.fence).toBeGreaterThan(first.leases[0]?.fence ?? 0);
    await second.leader.stop();
  });

  it('leads on after onElected has returned, for longer than the ttl', async () => {
    const candidate = new Candidate(fixture.one, fixture.name);
    await candidate.leads();
    await new Promise((resolve) => setTimeout(resolve, 450));
    expect([candidate.leader.leading, candidate.leases.length, candidate.steps]).toEqual([true, 1, []]);
    await candidate.leader.stop();
  });

  it('learns of a loss, no longer leads from then on, and campaigns again', async () => {
    const { one, two, name } = fixture;
    const candidate = new Candidate(
      one,
      name,
      (lease) => new Promise((resolve) => lease.signal.addEventListener('abort', () => resolve())),
    );
    await candidate.leads();
    await two.revoke(name, { reason: 'by the test' });
    await until('it is told', () => candidate.steps.length === 1);
    expect(candidate.steps).toEqual(['revoked']);
    await until('it leads again', () => candidate.leases.length === 2 && candidate.leader.leading);
    const [before, after] = candidate.leases;
    expect([before?.held, after?.held]).toEqual([false, true]);
    await candidate.leader.stop();
  });

  it('steps down when its work fails, and leads again later; another may lead meanwhile', async () => {
    const { one, two, name } = fixture;
    let failures = 0;
    const failing = new Candidate(one, name, () =>
      (failures += 1) === 1 ? Promise.reject(new Error('no database')) : Promise.resolve(),
    );
    await until('it stepped down', () => failing.steps.length === 1);
    expect(failing.steps).toEqual(['failed']);
    const other = new Candidate(two, name);
    await other.leads();
    await other.leader.stop();
    await failing.leads();
    expect(failures).toBe(2);
    await failing.leader.stop();
  });

  it('campaigns again, and says why, when its work rejects with nothing', async () => {
    const { locks, lines } = logging(fixture);
    let elections = 0;
    const candidate = new Candidate(locks, fixture.name, () => {
      elections += 1;
      return elections === 1 ? rejected(undefined) : Promise.resolve();
    });
    await until('it leads again', () => elections === 2 && candidate.leader.leading);
    expect(lines).toEqual([`The campaign for '${fixture.name}' failed and goes on: undefined`]);
    await candidate.leader.stop();
  });

  it('gives the lead back when onRevoked rejects, whatever with', async () => {
    const { locks, lines } = logging(fixture);
    for (const error of [undefined, null, 'gone', new Error('no database')]) {
      const leader = locks.lead(fixture.name, {
        onElected: () => Promise.resolve(),
        onRevoked: () => rejected(error),
      });
      await until('it leads', () => leader.leading);
      await leader.stop();
      expect(leader.leading).toBe(false);
      await (await fixture.two.acquire(fixture.name, { wait: 0 })).release();
    }
    const said = `onRevoked of the leader of '${fixture.name}' failed:`;
    expect(lines).toEqual([`${said} undefined`, `${said} null`, `${said} 'gone'`, `${said} no database`]);
  });

  it('steps down when its work gives the lease back, and leads again later; another may lead meanwhile', async () => {
    const { one, two, name } = fixture;
    const candidate = new Candidate(one, name);
    await candidate.leads();
    const start = performance.now();
    expect(await candidate.leases[0]?.release()).toBe('released');
    expect(candidate.leader.leading).toBe(false);
    await until('it is told', () => candidate.steps.length === 1);
    expect(candidate.steps).toEqual(['released']);
    const other = new Candidate(two, name);
    await other.leads();
    await other.leader.stop();
    await candidate.leads();
    expect(performance.now() - start).toBeGreaterThan(950); // work that always does so must not campaign without a pause
    await candidate.leader.stop();
    expect([candidate.leases.length, candidate.steps]).toEqual([2, ['released', 'stopped']]);
  });

  it('is not elected any more when it is stopped in the moment of the grant', async () => {
    const { one, two, name } = fixture;
    const stopping: Promise<void>[] = [];
    const stop = (granted: unknown): void => {
      if ((granted as { name: string }).name === name) stopping.push(candidate.leader.stop());
    };
    subscribe('nestjs-distributed-lock:granted', stop);
    const candidate = new Candidate(one, name);
    await until('it is stopped', () => stopping.length === 1);
    unsubscribe('nestjs-distributed-lock:granted', stop);
    await stopping[0];
    expect([candidate.leader.leading, candidate.leases.length, candidate.steps]).toEqual([false, 0, []]);
    await (await two.acquire(name, { wait: 0 })).release();
  });

  it('steps down when its work gives the lease back through an entry', async () => {
    const candidate = new Candidate(fixture.one, fixture.name, (lease) =>
      lease.using((entry) => void entry.release()),
    );
    await until('it is told', () => candidate.steps.length === 1);
    expect(candidate.steps).toEqual(['released']);
    await candidate.leader.stop();
  });

  it('learns that its lease had expired when its work gives it back too late', async () => {
    const steps: StepDownReason[] = [];
    const handlers = {
      onElected: async (lease: Lease) => {
        if (steps.length > 0) return;
        lease.signal.throwIfAborted(); // from here on a timer watches the lease, which the block below keeps from firing
        for (const end = performance.now() + 300; performance.now() < end;);
        await lease.release();
      },
      onRevoked: (reason: StepDownReason) => void steps.push(reason),
    };
    const leader = fixture.one.lead(fixture.name, handlers, { ttl: 200, renew: false });
    await until('it is told', () => steps.length > 0);
    await leader.stop();
    expect(steps[0]).toBe('expired');
  });

  it('says why its work failed although that has given the lease back before', async () => {
    const { locks, lines } = logging(fixture);
    const candidate = new Candidate(locks, fixture.name, async (lease) => {
      await using _ = lease;
      await rejected(new Error('no database'));
    });
    await until('it says why', () => lines.length === 1);
    expect(candidate.steps).toEqual(['released']);
    expect(lines).toEqual([`The campaign for '${fixture.name}' failed and goes on: no database`]);
    await candidate.leader.stop();
  });

  it('does not campaign again before work that has given its lease back has ended', async () => {
    const gate = new Gate();
    const candidate = new Candidate(fixture.one, fixture.name, async (lease) => {
      await lease.release();
      await gate.opened;
    });
    await until('it is told', () => candidate.steps.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(candidate.leases).toHaveLength(1);
    gate.open();
    await until('it is elected again', () => candidate.leases.length === 2);
    await candidate.leader.stop();
  });

  it('stops while it campaigns, and leaves the queue', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    const candidate = new Candidate(two, name);
    await fixture.queued(1);
    await candidate.leader.stop();
    await fixture.queued(0);
    expect(candidate.leases).toEqual([]);
    await lease.release();
  });

  it('awaits onRevoked before the lead is given back', async () => {
    const { one, two, name } = fixture;
    const gate = new Gate();
    const stopping = new Gate();
    const leader = one.lead(name, {
      onElected: () => Promise.resolve(),
      onRevoked: () => {
        stopping.open();
        return gate.opened;
      },
    });
    await until('it leads', () => leader.leading);
    const stopped = leader.stop();
    await stopping.opened;
    expect(await two.tryAcquire(name)).toBeUndefined();
    gate.open();
    await stopped;
    await (await two.acquire(name, { wait: 0 })).release();
  });

  it('gives the lead back before onRevoked has ended when its work failed', async () => {
    const { one, two, name } = fixture;
    const gate = new Gate();
    const revoked = new Gate();
    let [elections, ledInside] = [0, true];
    const leader = one.lead(name, {
      onElected: () => ((elections += 1) === 1 ? rejected(new Error('no database')) : Promise.resolve()),
      onRevoked: () => {
        ledInside = leader.leading;
        revoked.open();
        return gate.opened;
      },
    });
    await revoked.opened;
    await (await two.acquire(name, { wait: '2s' })).release();
    expect([ledInside, leader.leading, elections]).toEqual([false, false, 1]);
    gate.open();
    await until('it leads again', () => leader.leading);
    await leader.stop();
  });

  it.each(['stopped', 'failed', 'revoked'] as const)('stops for good inside onRevoked (%s)', async (why) => {
    const { two, name } = fixture;
    const { locks, lines } = logging(fixture);
    const steps: string[] = [];
    const begun = new Gate();
    const handlers = {
      onElected: async () => {
        await begun.opened;
        if (why === 'failed') await rejected(new Error('no database'));
      },
      onRevoked: async (reason: StepDownReason) => {
        await Promise.resolve();
        await leader.stop();
        steps.push(reason);
      },
    };
    const leader = locks.lead(name, handlers, { ttl: 300 });
    await until('it leads', () => leader.leading);
    begun.open();
    if (why === 'stopped') void leader.stop().then(() => steps.push('given back'));
    if (why === 'revoked') await two.revoke(name, { reason: 'by the test' });
    await until('onRevoked has ended', () => steps.length > 0);
    await leader.stop();
    expect(steps).toEqual(why === 'stopped' ? ['stopped', 'given back'] : [why]);
    await (await two.acquire(name, { wait: 0 })).release();
    const failure = `The campaign for '${name}' failed and goes on: no database`;
    expect(lines.filter((line) => line === failure)).toHaveLength(why === 'failed' ? 1 : 0);
  });

  it('steps down when its service closes, and the next leads at once', async () => {
    const { two, name } = fixture;
    const locks = fixture.open({ shutdownGrace: '5s' });
    const first = new Candidate(locks, name);
    await first.leads();
    const second = new Candidate(two, name);
    await fixture.queued(1);
    const start = performance.now();
    await locks.close();
    await second.leads();
    expect(performance.now() - start).toTakeLessThan(300, fixture.lag.max);
    expect(first.steps).toEqual(['stopped']);
    await second.leader.stop();
  });

  it('does not hold up close() for longer than the grace, whatever its handlers do', async () => {
    const locks = fixture.open({ shutdownGrace: 50 });
    const never = new Promise<never>(() => undefined);
    const leader = locks.lead(fixture.name, { onElected: () => never, onRevoked: () => never });
    await until('it leads', () => leader.leading);
    const start = performance.now();
    await locks.close();
    expect(performance.now() - start).toTakeLessThan(250, fixture.lag.max);
    expect(leader.leading).toBe(false);
  });

  it('does not log that its work failed after it was stopped', async () => {
    const { locks, lines } = logging(fixture);
    const gate = new Gate();
    const candidate = new Candidate(locks, fixture.name, () => gate.opened.then(() => rejected(undefined)));
    await candidate.leads();
    await candidate.leader.stop();
    gate.open();
    await new Promise((resolve) => setTimeout(resolve));
    expect(lines).toEqual([]);
  });

  it('leaves no listener of an election at the signal of its stop', async () => {
    const { one, two, name } = fixture;
    const candidate = new Candidate(one, name);
    const { stopping } = candidate.leader as unknown as { stopping: AbortController };
    const listeners: number[] = [];
    for (let election = 1; election <= 4; election += 1) {
      await until('it leads', () => candidate.leases.length === election && candidate.leader.leading);
      listeners.push(getEventListeners(stopping.signal, 'abort').length);
      await two.revoke(name, { reason: 'by the test' });
    }
    expect(listeners).toEqual([1, 1, 1, 1]);
    await candidate.leader.stop();
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });

  it('leaves no listener of a failed election at the signal of its stop', async () => {
    const candidate = new Candidate(fixture.one, fixture.name, () => rejected(new Error('no database')));
    const { stopping } = candidate.leader as unknown as { stopping: AbortController };
    for (let failures = 1; failures <= 2; failures += 1) {
      await until('it pauses', () => candidate.steps.length === failures && !candidate.leader.leading);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(1);
    }
    await candidate.leader.stop();
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });

  it('stops after a loss even while the work of that election goes on', async () => {
    const { one, two, name } = fixture;
    const candidate = new Candidate(one, name, () => new Promise(() => undefined));
    await candidate.leads();
    await two.revoke(name, { reason: 'by the test' });
    await until('it is told', () => candidate.steps.length === 1);
    await candidate.leader.stop();
    expect(candidate.leader.leading).toBe(false);
  });

  it('refuses options out of range at once', () => {
    const handlers = { onElected: () => Promise.resolve() };
    expect(() => fixture.one.lead(fixture.name, handlers, { ttl: 1 })).toThrow('The option ttl');
    expect(() => fixture.one.lead('', handlers)).toThrow('name');
  });
}
