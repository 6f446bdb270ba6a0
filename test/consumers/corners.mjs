// The corners of the support matrix, see docs/support.md: what an application of a user is built of, what runs it, and which
// of the steps of run.mjs concern it.

/** Versions that are installed together. The lowest are those that package.json allows; the others the newest of each major. */
export const INSTALLATIONS = {
  'Nest 11': { nest: '^11.0.0', graphql: '^13.0.0', ioredis: '^5.4.0', bullmq: '^5.0.0', whole: true },
  'Nest 12': { nest: '^12.0.0', graphql: '^14.0.0', ioredis: '^6.0.0', bullmq: '^6.0.0', whole: true },
  'Nest 11.0.0': {
    nest: '11.0.0',
    microservices: '11.0.0',
    ioredis: '5.4.0',
    rxjs: '7.8.0',
    metadata: '0.1.13',
  },
  'Nest 12.0.0': { nest: '12.0.0', ioredis: '6.0.0', rxjs: '7.8.0', metadata: '0.2.0' },
};

/** What runs the applications: an exact version, or the newest of a major. */
const NODES = ['Node 20', 'Node 22', 'Node 24', 'Node 26'];
const OTHERS = ['Bun 1', 'Deno 2'];

export const FORMATS = { CommonJS: 'cjs', 'ES modules': 'esm' };

export const STEPS = {
  memory: 'an application boots and locks in memory',
  redis: 'it boots and locks on Redis',
  'one class': 'require and import give one class',
  esbuild: 'a minified bundle of esbuild locks, beside the installed package',
  'Nest CLI': 'the bundle that the Nest CLI makes of it locks (webpack, or rspack for ES modules)',
  jest: "a user's tests pass in jest, with /testing",
  vitest: "a user's tests pass in vitest, with /testing",
  deep: 'transports, streams, commands, shutdowns, queues of BullMQ',
};

const corner = (installation, runtime, format) => ({
  name: `${installation}, ${runtime}, ${format}`,
  installation,
  runtime,
  format,
});

/** All corners, in the order in which they are run. */
export const CORNERS = [
  ...['Nest 11', 'Nest 12'].flatMap((installation) =>
    Object.keys(FORMATS).flatMap((format) =>
      [...NODES, ...OTHERS].map((runtime) => corner(installation, runtime, format)),
    ),
  ),
  corner('Nest 11.0.0', 'Node 20.19.0', 'CommonJS'),
  corner('Nest 12.0.0', 'Node 22.12.0', 'ES modules'),
];

/** What CI runs; the others are run by `npm run test:consumers -- --whole`. */
export const IN_CI = ['Nest 11, Node 20, CommonJS', 'Nest 12, Node 24, ES modules'];

/** The corners of which the many minutes of the last step are worth it: each Nest, format and supported line of Node. */
const DEEP = [...IN_CI, 'Nest 11, Node 22, ES modules', 'Nest 12, Node 24, CommonJS'];

/** Why a step is not run in a corner; undefined where it is. */
export function omitted({ name, installation, runtime, format }, step) {
  const basic = ['memory', 'redis', 'one class'].includes(step);
  if (!runtime.startsWith('Node') && !basic) return `only the application itself is run on ${runtime}`;
  if (!INSTALLATIONS[installation].whole && !basic && step !== 'jest')
    return 'the lowest versions: only the application and jest';
  if (step === 'jest' && installation === 'Nest 12' && format === 'CommonJS' && /Node 2[02]/.test(runtime))
    return 'jest in CommonJS mode can require NestJS 12, which is made of ES modules, on Node 24.9 and later';
  if (step === 'vitest' && format === 'CommonJS') return 'vitest runs ES modules';
  if (step === 'deep' && !DEEP.includes(name)) return 'run in four corners';
  return undefined;
}
