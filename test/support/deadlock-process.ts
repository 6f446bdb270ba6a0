// A process whose calls hold one lock and wait for another, driven by lines on its standard input, which begin with a tag:
//   TAG hold NAME → TAG holding    TAG ask NAME OPTIONS (JSON) → TAG asked, then TAG done, or TAG refused REASON: MESSAGE
//   lag → lag MS    close → closed
// What it logs comes as `log EVENT: MESSAGE`. argv: the options of the locks as JSON
import { createInterface } from 'node:readline';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockLogEntry } from '../../lib/locks/lock-log.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import type { UsingOptions } from '../../lib/locks/lock.js';
import type { LockBusyError } from '../../lib/base/errors.js';
import { Lag } from './lag.js';

const options = JSON.parse(process.argv[2] ?? '{}') as LockServiceOptions;
const log = {
  warn: () => undefined,
  write: ({ event, message }: LockLogEntry) => console.log(`log ${event}: ${message};`),
};
const locks = createLockService({ shutdownGrace: 0, ...options, log });
const lag = new Lag();
const asks = new Map<string, (ask: { readonly name: string; readonly options: UsingOptions }) => void>();
const input = createInterface({ input: process.stdin });

async function hold(tag: string, own: string): Promise<void> {
  try {
    await locks.using(own, async () => {
      const asked = new Promise<{ readonly name: string; readonly options: UsingOptions }>((resolve) =>
        asks.set(tag, resolve),
      );
      console.log(`${tag} holding;`);
      const { name, options: how } = await asked;
      console.log(`${tag} asked;`);
      await locks.using(name, () => undefined, how);
    });
    console.log(`${tag} done;`);
  } catch (error) {
    console.log(`${tag} refused ${(error as LockBusyError).reason}: ${(error as Error).message};`);
  }
}

input.on('line', (line) => {
  const [tag = '', verb, name = '', how = '{}'] = line.split(' ');
  if (tag === 'lag') console.log(`lag ${Math.ceil(lag.max)};`);
  else if (tag === 'close')
    void locks.close().then(() => {
      lag[Symbol.dispose]();
      input.close();
      console.log('closed;');
    });
  else if (verb === 'hold') void hold(tag, name);
  else asks.get(tag)?.({ name, options: JSON.parse(how) as UsingOptions });
});
void locks.ready().then(() => console.log('ready;'));
