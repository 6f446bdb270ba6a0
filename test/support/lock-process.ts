// A process with locks, driven by lines on its standard input:
//   acquire NAME TTL → granted | busy    acquire-many NAME COUNT → granted    release → released    close → closed
//   note TEXT → noted    hand-over → text TEXT    resume TEXT → resumed PREVIOUS
import { createInterface } from 'node:readline';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { Lease } from '../../lib/locks/lock.js';

const log = { warn: (message: string) => console.log(`log: ${message}`) };
const locks = createLockService({ redis: process.argv[2] ?? '', shutdownGrace: 0, log });
const leases: Lease[] = [];
const input = createInterface({ input: process.stdin });

async function obey(line: string): Promise<string> {
  const [verb, name = '', number = ''] = line.split(' ');
  switch (verb) {
    case 'acquire':
      leases.push(await locks.acquire(name, { ttl: Number(number), wait: '1h' }));
      return 'granted';
    case 'acquire-many': {
      const { signal } = new AbortController();
      await Promise.all(
        Array.from({ length: Number(number) }, () => locks.using(name, () => undefined, { signal })),
      );
      return 'granted';
    }
    case 'note':
      await leases[0]?.note(name);
      return 'noted';
    case 'hand-over':
      return `text ${await leases[0]?.handOver()};`;
    case 'resume': {
      const lease = await locks.resume(name);
      leases.push(lease);
      return `resumed ${lease.previous}`;
    }
    case 'release':
      await Promise.all(leases.map((lease) => lease.release()));
      return 'released';
    case 'close':
      await locks.close();
      input.close();
      return 'closed';
    default:
      return `what is '${line}'?`;
  }
}

process.on('warning', ({ name, message }) => console.log(`warning ${name}: ${message}`));
input.on('line', (line) => void obey(line).then(console.log, (error: Error) => console.log(error.message)));
console.log('ready');
