import {
  LockError,
  type LockService,
  type LockServiceOptions,
  LockStoreError,
  leastRights,
  type StoreFindings,
} from '../plain.js';
import { CommandError, EXIT } from './command-error.js';
import { span, type Output } from './output.js';

// Commands have a second at most, and each hand-off takes a round trip.
const SLOW = 100;
// Scheduled runs are told apart by their time, and people compare times of several machines.
const SKEW = 1_000;

/** One thing that was looked at. */
interface Check {
  readonly what: string;
  /** Undefined when the server does not say. */
  readonly ok: boolean | undefined;
  readonly found: string;
}

/**
 * Runs the start-up probe, and says what was found, what to change, and which rights locks need.
 *
 * @throws CommandError when locks do not work here; LockStoreError when the store cannot be reached
 */
export async function examine(
  options: LockServiceOptions,
  locks: Pick<LockService, 'ready'>,
  output: Output,
  json: boolean,
): Promise<void> {
  const rights = leastRights(options);
  let findings: StoreFindings | undefined;
  try {
    findings = await locks.ready();
  } catch (error) {
    if (!(LockError.is(error) && error instanceof LockStoreError && error.refused)) throw error;
    if (json) await output.line(JSON.stringify({ ok: false, problem: error.message, rights }));
    else await output.line(['FAILED   locks do not work here', '', ...rightsText(rights)].join('\n'));
    throw new CommandError(error.message, EXIT.refused);
  }
  if (!findings) return; // not with startup: 'require'
  const checks = checksOf(findings);
  const remedies = [...findings.warnings, ...remediesFor(findings)];
  if (json) return output.line(JSON.stringify({ ok: remedies.length === 0, ...findings, remedies, rights }));
  const signs = (ok: boolean | undefined): string => (ok === undefined ? 'unknown' : ok ? 'ok' : 'CHANGE');
  const lines = [
    findings.address,
    '',
    ...checks.map(({ what, ok, found }) => `${signs(ok).padEnd(8)} ${what.padEnd(14)} ${found}`),
    '',
    ...(remedies.length === 0
      ? ['Nothing has to be changed.']
      : ['What to change:', ...remedies.map((each) => `  - ${each}`)]),
    '',
    ...rightsText(rights),
  ];
  await output.line(lines.join('\n'));
}

function checksOf(findings: StoreFindings): Check[] {
  const { server, version, role, maxmemoryPolicy, publish, warnings, roundTrip, clockOffset } = findings;
  const denied = warnings.some((each) => each.includes('does not let this user run'));
  return [
    {
      what: 'server',
      ok: version === undefined ? undefined : !warnings.some((each) => each.includes('update the server')),
      found: version === undefined ? 'does not say what it is' : `${server} ${version}`,
    },
    { what: 'role', ok: role === undefined ? undefined : role !== 'slave', found: role ?? 'does not say' },
    {
      what: 'eviction',
      ok: maxmemoryPolicy === undefined ? undefined : maxmemoryPolicy === 'noeviction',
      found: maxmemoryPolicy ?? 'does not say',
    },
    {
      what: 'scripts',
      ok: !denied,
      found: denied
        ? 'a lock was taken and released, but not every command is allowed'
        : 'a lock was taken and released; every command of the scripts is allowed',
    },
    {
      what: 'channel',
      ok: publish,
      found: publish ? 'waiters are told of their grants' : 'waiters ask ten times a second',
    },
    {
      what: 'round trip',
      ok: roundTrip === undefined ? undefined : roundTrip < SLOW,
      found: roundTrip === undefined ? 'not measured' : `${roundTrip.toFixed(1)} ms`,
    },
    {
      what: 'clock',
      ok: clockOffset === undefined ? undefined : !isSkewed(findings),
      found: clockOffset === undefined ? 'not measured' : skew(clockOffset),
    },
  ];
}

function remediesFor(findings: StoreFindings): string[] {
  const { roundTrip = 0, clockOffset = 0, address } = findings;
  return [
    ...(roundTrip < SLOW
      ? []
      : [
          `A round trip to ${address} takes ${Math.round(roundTrip)} ms, and each hand-off between processes takes one: bring ` +
            'them closer together, or look at what keeps the server busy (SLOWLOG GET).',
        ]),
    ...(isSkewed(findings)
      ? [
          `The clock of ${address} is ${skew(clockOffset)}. Leases do not depend on it, but the times in reports do, and so does ` +
            'what runs at a time of day: synchronise both clocks (NTP).',
        ]
      : []),
  ];
}

function isSkewed({ clockOffset = 0, roundTrip = 0 }: StoreFindings): boolean {
  return Math.abs(clockOffset) > SKEW + roundTrip;
}

function skew(offset: number): string {
  return `${span(Math.abs(offset))} ${offset < 0 ? 'behind' : 'ahead of'} this machine`;
}

function rightsText(rights: string): string[] {
  return ['The least rights of a user for these locks:', '', rights];
}
