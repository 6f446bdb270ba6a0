// Locks COUNT names, each once, and prints by how many bytes a name the heap has grown:
//   node --import ./test/support/typescript.mjs test/support/many-names.ts COUNT [URL]
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createLockService } from '../../lib/locks/create-lock-service.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const [count = 0, url] = [Number(process.argv[2]), process.argv[3]];
const locks = createLockService({ redis: url, fenceMemory: 0, log: { warn: () => undefined } });

async function heapAfter(from: number, to: number): Promise<number> {
  for (let begin = from; begin < to; begin += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => locks.using(`name:${begin + index}`, () => undefined)),
    );
  await new Promise((resolve) => setTimeout(resolve, 50)); // the last releases are answered
  collect();
  return process.memoryUsage().heapUsed;
}

const before = await heapAfter(0, count / 5);
const after = await heapAfter(count / 5, count);
console.log(`grown by ${((after - before) / (count * 0.8)).toFixed(1)} bytes a name`);
await locks.close();
