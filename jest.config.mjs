import { SWC } from './tools/swc-options.mjs';

/**
 * Specs that start whole fleets of processes, several servers a test, or thousands of schedules. `npm test` leaves them to
 * `npm run test:long-specs`; each runs by `npm test -- <its path>`, too. `.ci/run` runs both.
 */
const LONG_SPECS = [
  'house/plain-entry',
  'nest/api-locked',
  'nest/lock-health',
  'nest/quick-start',
  'nest/recipes',
  'proof/heap/heap',
  'proof/simulation/mutex',
  'proof/simulation/native',
  'proof/simulation/read-write',
  'proof/simulation/semaphore',
  'redis/borrowed-context',
  'redis/client-tracking',
  'redis/cluster-changes',
  'redis/cluster-contract',
  'redis/command-line',
  'redis/dashboard',
  'redis/deadlock',
  'redis/deploy',
  'redis/durability',
  'redis/durability-contract',
  'redis/exit-after-work',
  'redis/kinds-contract',
  'redis/late-loop',
  'redis/least-rights',
  'redis/listing',
  'redis/many-names',
  'redis/once-per-fire',
  'redis/runbook',
  'redis/scripts-property',
  'redis/waiting-sessions',
  'sample/demo',
  'sample/flash-sale',
  'tools/scaling',
  'topologies/processes',
  'topologies/sentinel',
  'topologies/sentinel-durability',
].map((name) => `<rootDir>/test/${name}.spec.ts`);
const long = process.env['LONG_SPECS'] !== undefined;
const named = process.argv.slice(2).some((word) => !word.startsWith('-'));

export default {
  testEnvironment: '<rootDir>/test/support/clean-environment.mjs',
  setupFilesAfterEnv: ['<rootDir>/test/support/time-bounds.ts'],
  testTimeout: 20_000, // many tests start servers and processes; on a busy machine that takes seconds
  maxWorkers: '100%', // the default leaves one processor of two unused
  testMatch: long ? LONG_SPECS : ['<rootDir>/test/**/*.spec.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    '<rootDir>/test/consumers/',
    '<rootDir>/dist/',
    ...(long || named ? [] : LONG_SPECS),
  ],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/test/consumers/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-distributed-lock$': '<rootDir>/lib/index.ts',
    '^nestjs-distributed-lock/plain$': '<rootDir>/lib/plain.ts',
    '^nestjs-distributed-lock/opentelemetry$': '<rootDir>/lib/opentelemetry/index.ts',
    '^nestjs-distributed-lock/terminus$': '<rootDir>/lib/terminus/index.ts',
    '^nestjs-distributed-lock/swagger$': '<rootDir>/lib/swagger/index.ts',
    '^nestjs-distributed-lock/schedule$': '<rootDir>/lib/schedule/index.ts',
    '^nestjs-distributed-lock/testing$': '<rootDir>/lib/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        ...SWC,
        sourceMaps: 'inline',
      },
    ],
  },
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/**/*.ts'],
};
