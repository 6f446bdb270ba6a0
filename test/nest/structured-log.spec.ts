import { ConsoleLogger, Injectable, Logger, type LoggerService, Module } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import {
  DistributedLockModule,
  type FirePlan,
  Locked,
  type LockLogEntry,
  LockLostError,
  LockService,
  LockStoreError,
  runOncePerFire,
} from '../../lib/index.js';
import { LockErrorAnswers } from '../../lib/nest/lock-error-answers.js';
import { logFor } from '../../lib/nest/nest-log.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { failureOf } from '../support/eventually.js';

type Options = NonNullable<Parameters<typeof DistributedLockModule.forRoot>[0]>;

/** What a logger prints, written to its stream or given to it. */
class Printed extends ConsoleLogger {
  readonly texts: string[] = [];

  constructor(json: boolean) {
    super({ json, colors: false, forceConsole: true });
  }

  /** Runs `work`, and keeps what it prints. */
  async during(work: () => Promise<void>): Promise<void> {
    const { log, error } = console;
    console.log = console.error = (text: unknown) => void this.texts.push(String(text));
    try {
      await work();
    } finally {
      Object.assign(console, { log, error });
    }
  }
}

/** Starts an application, and revokes a lock in it, which is one line in the log. */
async function revoke(options: Options, logger: LoggerService): Promise<void> {
  const imports = [DistributedLockModule.forRoot({ redis: 'memory', shutdownGrace: 0, ...options })];
  const app = await (await Test.createTestingModule({ imports }).setLogger(logger).compile()).init();
  const locks = app.get(LockService);
  await locks.acquire('stock:42', { label: 'export' });
  await locks.revoke('stock:42', { reason: 'stuck' });
  await app.close();
}

const silent: LoggerService = { log: () => undefined, warn: () => undefined, error: () => undefined };
const FIELDS = { event: 'revoked', lock: 'stock:42', reason: 'stuck', count: 1 };
const TEXT = "The lock 'stock:42' was revoked (stuck).";

describe('a line of the log', () => {
  it('has its fields beside its text in the JSON of Nest', async () => {
    const logger = new Printed(true);
    await logger.during(() => revoke({}, logger));
    const line = logger.texts.map((text) => JSON.parse(text)).find(({ params }) => params?.event);
    expect(line).toMatchObject({ level: 'warn', context: 'DistributedLock', params: FIELDS });
    expect(line.message).toContain(TEXT);
    expect(line.params.holder).toMatch(/:\d+ export$/);
  });

  it('is only its text where Nest prints for people', async () => {
    const logger = new Printed(false);
    await logger.during(() => revoke({}, logger));
    const lines = logger.texts.filter((text) => text.includes('stock:42'));
    expect(lines[0]).toMatch(/WARN.*\[DistributedLock\].*was revoked \(stuck\)/);
    expect(lines.join()).not.toContain('event');
  });

  it('is one object for other loggers, which has the fields where pino and winston look for them', async () => {
    const messages: unknown[][] = [];
    await revoke({}, { ...silent, warn: (...said: unknown[]) => void messages.push(said) });
    const [message, context] = messages.find(([one]) => (one as { event?: string }).event === 'revoked')!;
    expect(context).toBe('DistributedLock');
    expect({ ...(message as object) }).toMatchObject({ msg: expect.stringContaining(TEXT), ...FIELDS });
    const { message: text, ...meta } = message as { message: string }; // as nest-winston does
    expect(text).toContain(TEXT);
    expect(meta).toMatchObject(FIELDS);
    expect(`${message as string}`).toContain(TEXT);
  });

  it('is its text for a logger that takes only texts', async () => {
    const texts: string[] = [];
    const onlyTexts = (message: string): void => void texts.push(message.trim());
    await revoke({}, { ...silent, warn: onlyTexts });
    expect(texts).toContainEqual(expect.stringContaining(TEXT));
    texts.length = 0;
    const error = new LockStoreError('Redis is away', 'stock:42');
    void new LockErrorAnswers({}, logFor({ ...silent, error: onlyTexts })).to(error);
    expect(texts).toEqual([expect.stringContaining(error.stack!)]);
  });

  it('reaches the logger of a testing module, and without one nobody', async () => {
    const messages: unknown[] = [];
    const logger = { ...silent, warn: (message: unknown) => void messages.push(message) };
    const revoked = async (options: Pick<Options, 'logger'>): Promise<void> => {
      const imports = [DistributedLockTestingModule.forRoot(options)];
      const app = await Test.createTestingModule({ imports }).setLogger(logger).compile();
      const locks = app.get(LockService);
      await locks.acquire('stock:42', { label: 'export' });
      await locks.revoke('stock:42', { reason: 'stuck' });
      await app.close();
    };
    await revoked({});
    expect(messages).toEqual([]);
    await revoked({ logger });
    expect(messages).toContainEqual(
      expect.objectContaining({ msg: expect.stringContaining(TEXT), ...FIELDS }),
    );
  });

  it('about an error that left a handler has its stack', async () => {
    const error = new LockStoreError('Redis is away', 'stock:42');
    const answer = (logger: LoggerService): void => void new LockErrorAnswers({}, logFor(logger)).to(error);
    const [json, plain] = [new Printed(true), new Printed(false)];
    for (const printed of [json, plain]) await printed.during(async () => answer(printed));
    const fields = { event: 'failed', lock: 'stock:42', stack: error.stack };
    expect(JSON.parse(json.texts[0] ?? '')).toMatchObject({
      ...{ level: 'error', message: 'Redis is away', params: fields },
    });
    expect(plain.texts.join('')).toContain(error.stack);
    const messages: unknown[] = [];
    answer({ ...silent, error: (message) => void messages.push(message) });
    expect(messages).toMatchObject([{ msg: 'Redis is away', ...fields }]);
    expect(String(messages[0])).toBe('Redis is away');
  });

  it('about a lost lease says nothing of what the work returned, and of its cause the stack', () => {
    const lost = new LockLostError("The lease on 'stock:42' expired.", 'stock:42', {
      ...{ reason: 'expired', fence: 1, heldFor: 2, completed: true },
    });
    const returned = lost.withOutcome({ result: { token: 'personal data' } });
    const cause = Object.assign(new Error('the work failed'), { config: { token: 'personal data' } });
    for (const error of [returned, lost.withOutcome({ cause }), lost.withOutcome({ cause: 'personal data' })])
      for (const json of [true, false]) {
        const logger = new Printed(json);
        void logger.during(async () => void new LockErrorAnswers({}, logFor(logger)).to(error));
        const text = logger.texts.join('\n');
        expect(text).toContain("The lease on 'stock:42' expired.");
        expect(text.includes('the work failed')).toBe(error.cause === cause);
        expect(text).not.toContain('personal data');
      }
  });

  it('goes to the logger of the registration, with its fields if it takes them', async () => {
    const entries: LockLogEntry[] = [];
    const texts: string[] = [];
    await revoke(
      { logger: { warn: (text) => void texts.push(text), write: (one) => void entries.push(one) } },
      silent,
    );
    expect(entries).toContainEqual(expect.objectContaining({ level: 'warn', ...FIELDS }));
    expect(texts).toEqual([]);
    await revoke({ logger: { warn: (text) => void texts.push(text) } }, silent);
    expect(texts).toContainEqual(expect.stringContaining(TEXT));
    const logger = new Printed(true);
    await logger.during(() => revoke({ logger: new Logger('other context') }, logger));
    expect(logger.texts.join('\n')).toContain('"context":"other context"');
  });

  it('goes there also when it is about schedules, fires and registrations', async () => {
    @Injectable()
    class Reports {
      @Cron('0 0 1 1 *')
      @Locked('report')
      async report() {}
    }
    const entries: LockLogEntry[] = [];
    const nest: string[] = [];
    const keep = (...said: unknown[]): void => void nest.push(String(said[0]));
    const logger = { warn: () => undefined, write: (one: LockLogEntry) => void entries.push(one) };
    const registration = () => DistributedLockModule.forRoot({ redis: 'memory', shutdownGrace: 0, logger });
    @Module({ imports: [registration()] })
    class Twin {}
    const metadata = { imports: [registration(), Twin], providers: [Reports] };
    const testing = Test.createTestingModule(metadata).setLogger({ ...silent, log: keep, warn: keep });
    const app = await (await testing.compile()).init();
    const locks = app.get(LockService);
    const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
    const fire = (late: number): FirePlan => ({
      nearest: () => ({ at: new Date(hour - late), period: Infinity }),
    });
    const plan = fire(0);
    expect(await runOncePerFire(locks, 'nightly', plan, () => 'run')).toBe('run');
    expect(await runOncePerFire(locks, 'nightly', plan, () => 'again')).toBeUndefined();
    expect(await runOncePerFire(locks, 'nightly', fire(48 * 3_600_000), () => 'late')).toBeUndefined();
    const line = (event: string): LockLogEntry | undefined => entries.find((one) => one.event === event);
    const about = { lock: 'nightly', fire: expect.stringMatching(/T\d\d:00:00.000Z$/) };
    expect(line('fire-run')).toMatchObject({ level: 'log', ...about });
    expect(line('fire-elsewhere')).toMatchObject({ level: 'debug', ...about });
    expect(line('fire-missed')).toMatchObject({ level: 'warn', lock: 'nightly' });
    expect(line('scheduled')).toMatchObject({ level: 'warn', place: 'Reports.report' });
    expect(line('registrations')).toMatchObject({ level: 'warn', count: 2 });
    expect(nest.filter((text) => /nightly|Reports.report|registration/.test(text))).toEqual([]);
    await app.close();
  });

  it('needs a logger that can take it', async () => {
    for (const logger of [null, 'console', {}, { error: () => undefined }])
      expect(await failureOf(revoke({ logger: logger as never }, silent))).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringContaining('The option logger takes a logger of Nest'),
      });
  });
});
