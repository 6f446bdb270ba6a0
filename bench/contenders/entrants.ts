import { BEFORE, comparesWithBefore } from './before.js';
import type { Contender, Entrant } from './contender.js';
import { Floor } from './floor.js';
import { InProcess } from './in-process.js';
import { createLockService } from '../../lib/index.js';
import { Own } from './own.js';
import { PostgresPeer } from './postgres-peer.js';
import { RedlockPeer } from './redlock-peer.js';
import { SemaphorePeer } from './semaphore-peer.js';
import { UniversalPeer } from './universal-peer.js';
import { VerrouPeer } from './verrou-peer.js';

export const OURS: Entrant = {
  id: 'own',
  label: 'nestjs-distributed-lock',
  role: 'ours',
  commands: ['evalsha', 'eval', 'ping', 'subscribe', 'script|load', 'client|setname'],
  open: (url) => Own.open(url),
  openAtOnce: async (url) => Own.openAtOnce(url),
};

export const LINGERING: Entrant = {
  ...OURS,
  id: 'own-linger',
  label: `${OURS.label}, linger 1 s`,
  open: (url) => Own.lingering(url),
};

/** Without fence memory: what is asked for alone goes natively. */
export const NATIVE: Entrant = {
  ...OURS,
  id: 'own-native',
  label: `${OURS.label}, fenceMemory 0`,
  open: (url) => Own.open(url, createLockService, { fenceMemory: 0 }),
};

export const FLOOR: Entrant = {
  id: 'floor',
  label: 'ioredis: SET NX PX + compare-and-delete',
  role: 'floor',
  commands: ['set', 'evalsha'],
  open: (url) => Floor.open(url),
};

export const PIPELINED_FLOOR: Entrant = {
  ...FLOOR,
  id: 'floor-pipelined',
  label: `${FLOOR.label}, auto-pipelining`,
  open: (url) => Floor.open(url, { enableAutoPipelining: true }),
};

export const IN_PROCESS: Entrant = {
  id: 'async-mutex',
  label: 'async-mutex (in-process, no server)',
  role: 'limit',
  commands: [],
  open: async () => new InProcess(),
};

/** Of another ecosystem, and with a server of its own: only beside the other rivals. */
const POSTGRES: Entrant = {
  id: 'postgres',
  label: 'advisory locks of PostgreSQL',
  role: 'peer',
  commands: [],
  open: (url) => PostgresPeer.open(url),
  openAtOnce: async (url) => PostgresPeer.openAtOnce(url),
};

/** A peer in its defaults, and at the setting that was the fastest of those tried: see the README. */
function twice(
  id: string,
  label: string,
  best: string,
  commands: readonly string[],
  open: (url: string, best: boolean) => Contender,
): Entrant[] {
  const role = 'peer' as const;
  return [
    {
      id,
      label: `${label}, defaults`,
      role,
      setting: 'defaults',
      commands,
      open: async (url) => open(url, false),
    },
    {
      id: `${id}-best`,
      label: `${label}, ${best}`,
      role,
      setting: 'best',
      commands,
      open: async (url) => open(url, true),
    },
  ];
}

const FOR_EVER = { retryCount: -1, retryDelay: 5, retryJitter: 2 };
const LEAN = { retryAttempts: 100_000, retryDelay: 5, performance: 'lean' } as const;

/** Other people's locks. */
export const PEERS: readonly Entrant[] = [
  ...twice(
    'redlock',
    'redlock',
    'retry 5 ms',
    ['evalsha', 'eval'],
    (url, best) => new RedlockPeer(url, 'redlock', best ? FOR_EVER : undefined),
  ),
  ...twice(
    'sesame',
    '@sesamecare-oss/redlock',
    'retry 5 ms',
    ['evalsha', 'eval'],
    (url, best) => new RedlockPeer(url, 'sesame', best ? FOR_EVER : undefined),
  ),
  ...twice(
    'semaphore',
    'redis-semaphore',
    'retry 5 ms',
    ['set', 'evalsha', 'eval'],
    (url, best) => new SemaphorePeer(url, best ? { retryInterval: 5 } : {}),
  ),
  ...twice(
    'universal',
    'redlock-universal',
    'lean, retry 5 ms',
    ['set', 'evalsha', 'eval'],
    (url, best) => new UniversalPeer(url, best ? LEAN : {}),
  ),
  ...twice(
    'verrou',
    '@verrou/core',
    'retry 5 ms',
    ['set', 'eval'],
    (url, best) => new VerrouPeer(url, best ? { delay: 5 } : undefined),
  ),
];

/**
 * Whom a run compares with: the build of before, when there is one; else everybody; when it has to be quick, or nobody waits so that it makes no difference how,
 * only the best settings, and of those, where
 * contenders starve each other for long, the two that the full runs showed to be ahead.
 */
export function peersFor(quick: boolean, contended = false): readonly Entrant[] {
  if (comparesWithBefore()) return [BEFORE];
  if (!quick) return PEERS;
  return contended
    ? PEERS.filter(({ id }) => id === 'redlock-best' || id === 'semaphore-best')
    : PEERS.filter(({ setting }) => setting === 'best');
}

const ALL = [OURS, LINGERING, NATIVE, BEFORE, FLOOR, PIPELINED_FLOOR, IN_PROCESS, POSTGRES, ...PEERS];

/** For workers, which are told an id. */
export function entrant(id: string): Entrant {
  const found = ALL.find((each) => each.id === id);
  if (!found) throw new Error(`Nobody is called '${id}'.`);
  return found;
}
