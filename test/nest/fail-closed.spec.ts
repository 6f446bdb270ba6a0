import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { DistributedLockModule } from '../../lib/index.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import { type Background, BACKGROUND_KINDS, openBackground } from '../support/background-application.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import {
  NAME,
  type Opened,
  type OpenedRpc,
  scopesOf,
  Shop,
  type TransportName,
  TRANSPORTS,
} from '../support/transport-applications.js';

const EACH_TRANSPORT = Object.keys(TRANSPORTS) as TransportName[];

describeWithRealRedis('with the Redis of the locks down, no locked body runs', () => {
  let redis: RunningRedis;
  let network: TcpProxy;
  let background: Background;
  const transports = new Map<TransportName, Opened>();
  // Nest has one logger in a process: that of the application that came last.
  const logs = () => [background, ...transports.values()].map(({ logged }) => logged);
  const forgetLogs = () => logs().forEach(({ lines }) => (lines.length = 0));
  const isLogged = () => logs().some(({ lines }) => lines.some((line) => line.startsWith('error')));

  // Every application starts on a Redis that works. Transports and queues keep theirs; that of the locks goes.
  beforeAll(async () => {
    redis = await startRedis({ emulated: false });
    network = await TcpProxy.start(Number(new URL(redis.url).port));
    // A call is given up after a third of the ttl.
    const locks = () =>
      DistributedLockModule.forRoot({ redis: network.url, namespace: randomUUID(), ttl: 300 });
    background = await openBackground(locks(), redis.url, randomUUID());
    for (const name of EACH_TRANSPORT) transports.set(name, await TRANSPORTS[name](locks(), redis.url));
    await network.close();
  }, 60_000);
  afterAll(async () => {
    await Promise.all([background, ...transports.values()].map((each) => each.close()));
    await redis.stop();
  }, 30_000);

  describe.each(EACH_TRANSPORT)('over %s', (name) => {
    it.each(scopesOf(name))('in the scope %s, and the client is told no name', async (scope) => {
      const opened = transports.get(name)!;
      const answer = await opened.call(scope, 'once');
      expect(answer).toEqual({ refused: expect.anything() });
      const told = JSON.stringify(answer);
      if (!name.includes('without')) expect(told).toMatch(/"code":"LOCK_STORE"/);
      for (const secret of [NAME, hostname(), String(process.pid), '127.0.0.1'])
        expect(told).not.toContain(secret);
      expect(opened.app.get(Shop).door.passed).toBe(0);
    });
  });

  it.each(scopesOf('a TCP microservice'))(
    'for an event of a microservice, in the scope %s',
    async (scope) => {
      const { app, client } = transports.get('a TCP microservice') as OpenedRpc;
      forgetLogs();
      client.emit(`${scope}.event`, 'lost');
      await until('the failure is logged', isLogged);
      expect(app.get(Shop).heard).toEqual([]);
    },
  );

  it.each(BACKGROUND_KINDS)('for %s', async (kind) => {
    const { trigger, app } = background;
    forgetLogs();
    // Whoever is told is told by a rejection, and the others by the log.
    const told = await trigger[kind]('once').then(
      () => undefined,
      (error: unknown) => error,
    );
    await until('somebody is told', () => told !== undefined || isLogged());
    expect(app.get(Shop).door.passed).toBe(0);
  });
});
