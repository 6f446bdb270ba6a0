import { particularCases, transportCases } from '../contract/transport-cases.js';
import { type TransportName, TRANSPORTS } from '../support/transport-applications.js';
import { HAS_REAL_REDIS } from '../support/real-redis.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';

let redis: RunningRedis | undefined;
beforeAll(async () => {
  if (HAS_REAL_REDIS) redis = await startRedis({ emulated: false });
});
afterAll(() => redis?.stop());

const transports = (Object.keys(TRANSPORTS) as TransportName[]).filter(
  (name) => HAS_REAL_REDIS || name !== 'a Redis microservice',
);

describe.each(transports)('over %s', (transport) => transportCases(transport, () => redis?.url ?? ''));

particularCases();
