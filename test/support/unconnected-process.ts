// A process with a connection that cannot be tried, and what its calls fail with: node unconnected-process.ts WRONG
import { createLockService } from '../../lib/locks/create-lock-service.js';

const wrong = process.argv[2];
const redis =
  wrong === 'certificate'
    ? { port: 6379, tls: { cert: 'none', key: 'none' } }
    : { port: wrong === 'port' ? 99_999 : NaN };
const locks = createLockService({ redis, log: { warn: () => undefined } });

const calls: Record<string, () => Promise<unknown>> = {
  ready: () => locks.ready(),
  try: () => locks.tryAcquire('x'),
  again: () => locks.tryAcquire('x'),
  wait: () => locks.acquire('x', { wait: '300ms' }),
};
for (const [name, call] of Object.entries(calls))
  await call().catch((error: Error) => process.stdout.write(`${name} failed: ${error.message}\n`));
