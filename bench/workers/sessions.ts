import { createLockService, type LockService } from '../../lib/index.js';
import { nodesAt } from '../contenders/node-addresses.js';
import { times } from '../measure/loops.js';
import { callsOf, serverCpu } from './clients.js';

/**
 * Many sessions in one process, each of which is for the servers a process of its own: a lane is a session with a name.
 * `free`: nobody else wants its name. `wanted`: the lane beside it wants the same name all the time, so that each lock
 * is handed from session to session.
 */
export interface Sessions {
  readonly url: string;
  readonly lanes: number;
  readonly names: 'free' | 'wanted';
  readonly count: number;
}

/** For each lock that was taken and given back: of all sessions together, and of all servers. */
export interface SessionsOutcome {
  /** Microseconds of processor time. */
  readonly client: number;
  readonly server: number;
  /** Script calls, and messages that the scripts published. */
  readonly calls: number;
  readonly notices: number;
}

export async function sessions({ url, lanes, names, count }: Sessions): Promise<SessionsOutcome> {
  const cluster = nodesAt(url);
  const services: LockService[] = [];
  for (let lane = 0; lane < lanes; lane += 1) {
    const locks = createLockService({ redis: cluster ? { cluster } : url, wait: '5m', shutdownGrace: 0 });
    await locks.ready();
    services.push(locks);
  }
  const each = names === 'wanted' ? 2 : 1;
  const step = async (lane: number): Promise<void> =>
    services[lane]?.using(`lane-${Math.floor(lane / each)}`, async () => undefined);
  await times(Math.ceil(count / 4), lanes, step);
  const [callsBefore, noticesBefore] = [await callsOf(url, 'evalsha'), await callsOf(url, 'publish')];
  const before = await serverCpu(url);
  const own = process.cpuUsage();
  await times(count, lanes, step);
  const { user, system } = process.cpuUsage(own);
  const server = (((await serverCpu(url)) - before) * 1e6) / count;
  const calls = ((await callsOf(url, 'evalsha')) - callsBefore) / count;
  const notices = ((await callsOf(url, 'publish')) - noticesBefore) / count;
  await Promise.all(services.map((locks) => locks.close()));
  return { client: (user + system) / count, server, calls, notices };
}
