// A process that ends right after its work under locks, in one of several ways: node exit-after.ts URL WAY
import { createLockService } from '../../lib/locks/create-lock-service.js';

const locks = createLockService({ redis: process.argv[2] ?? '', log: { warn: () => undefined } });
const nothing = (): void => undefined;
const ways: Record<string, () => Promise<unknown>> = {
  using: () => locks.using('job', nothing),
  two: () => Promise.all([locks.using('job', nothing), locks.using('other', nothing)]),
  forty: () => locks.allOf(Array.from({ length: 40 }, (_, index) => `job${index}`)).using(nothing),
  once: () => locks.once('job', nothing, { doneTtl: '1m' }),
};
await ways[process.argv[3] ?? '']?.();
process.exit(7);
