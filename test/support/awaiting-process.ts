// A process that waits for what nobody else in it keeps it alive for, as its argument says; it prints what came of it.
import { createLockService } from '../../lib/locks/create-lock-service.js';

const [, , what = '', address] = process.argv;
const redis = what === 'cluster' ? { cluster: [{ port: 1 }] } : address;
const locks = createLockService({
  redis,
  shutdownGrace: 300,
  startup: 'warn',
  log: { warn: () => undefined },
});

async function wait(): Promise<string> {
  switch (what) {
    case 'lock':
      await locks.acquire('name', { renew: false, ttl: 300 });
      await (await locks.acquire('name')).release();
      return 'served';
    case 'cluster': // that cannot be reached
      return locks.acquire('name', { wait: 700 }).then(
        () => 'served',
        ({ code }) => String(code),
      );
    case 'deadline':
      await locks.acquire('name');
      return locks.acquire('name', { wait: 300 }).then(
        () => 'served',
        ({ reason }) => String(reason),
      );
    case 'latch':
      await locks.latch('name').trySetCount(1);
      return locks
        .latch('name')
        .opened({ wait: 300 })
        .then(
          () => 'open',
          ({ reason }) => String(reason),
        );
    case 'lead': {
      await locks.acquire('name');
      const leader = locks.lead('name', { onElected: () => Promise.resolve() });
      return new Promise((resolve) => setTimeout(resolve, 20, `leads: ${leader.leading}`));
    }
    case 'close':
      await locks.acquire('name');
      await locks.close();
      return 'closed';
    case 'holder':
      await locks.acquire('name');
      return 'holds';
    default:
      return `what is '${what}'?`;
  }
}

console.log(await wait());
