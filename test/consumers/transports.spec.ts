import { particularCases, transportCases } from '../contract/transport-cases.js';
import { type TransportName, TRANSPORTS } from '../support/transport-applications.js';

// As test/nest/transports.spec.ts, with the packages of the consumer.
const redis = process.env['REDIS_URL'];
const transports = (Object.keys(TRANSPORTS) as TransportName[]).filter(
  (name) => redis !== undefined || name !== 'a Redis microservice',
);

describe.each(transports)('over %s', (transport) => transportCases(transport, () => redis ?? ''));

particularCases();
