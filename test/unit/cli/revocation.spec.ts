import { PassThrough } from 'node:stream';
import { revoke } from '../../../lib/cli/revocation.js';
import type { Output, Streams } from '../../../lib/cli/output.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { Lease } from '../../../lib/locks/lock.js';

describe('a revocation of what a minimum hold keeps', () => {
  it('is refused with the remedy, and done with --force', async () => {
    const locks = createLockService({ redis: 'memory' });
    await locks.using('name', () => undefined, { minHold: '5m', ttl: '10m' });
    const command = { name: 'name', reason: 'needed', force: false, yes: true, json: true };
    const run = (more: object): Promise<void> =>
      revoke({ ...command, ...more } as never, locks, [], output, {} as Streams);
    const output = { line: () => Promise.resolve() } as unknown as Output;
    await expect(run({})).rejects.toThrow(/its minHold keeps it: --force frees it/);
    await run({ force: true });
    await (await locks.acquire('name')).release();
    await locks.close();
  });
});

describe('an operator who is asked before a lock is revoked', () => {
  it('is asked again when somebody else has it by then', async () => {
    const locks = createLockService({ redis: 'memory' });
    const [stdin, stderr] = [new PassThrough(), new PassThrough()];
    Object.assign(stdin, { isTTY: true });
    Object.assign(stderr, { isTTY: true });
    const leases: Lease[] = [await locks.acquire('name', { label: 'first' })];
    let [said, asked] = ['', 0];
    const answered = new Promise<void>((resolve) => {
      stderr.on('data', (bytes) => {
        said += String(bytes);
        if (said.split('[y/N]').length - 1 === asked) return;
        asked += 1;
        const answer = async (): Promise<void> => {
          if (asked === 1) {
            await leases[0]!.release();
            leases.push(await locks.acquire('name', { label: 'second' }));
          } else resolve();
          stdin.write('y\n');
        };
        void answer();
      });
    });
    const lines: string[] = [];
    const output = { line: (text: string) => Promise.resolve(void lines.push(text)) } as unknown as Output;
    const command = { name: 'name', reason: 'stuck', force: false, yes: false, json: true } as never;
    const streams = { stdin, stderr } as unknown as Streams;
    await Promise.all([answered, revoke(command, locks, [], output, streams)]);
    expect(said).toMatch(/first[^]*has changed hands meanwhile[^]*second/);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ holders: [{ label: 'second' }] });
    await leases[1]!.release();
    await locks.close();
  });
});
