import { obstacleToTls } from '../../tools/redis/certificates.js';
import { overrun, runInTime } from '../proof/time-bounds.js';
import { isWanted, type Choice } from './choice.js';
import { ROWS } from './rows.js';
import type { LoadVerdict } from './load.js';
import { coordinatedFailover, type OneAddressVerdict } from './one-address.js';
import { ms, type Report } from './report.js';
import { loadOverTls, type TlsVerdict } from './tls.js';

const FAILOVER = 'one address, coordinated failover (FAILOVER)';
const TLS = 'one server over TLS, connections cut';
const OURS = 500;
// There the master holds back writes until its replica has acknowledged all it has, which it does once a second.
const INTERRUPTION = { [TLS]: OURS, [FAILOVER]: 1_000 + OURS };
const BLOCKED = 2_500;

/** A server, or two that change places behind one address. */
export async function withOneServer(choice: Choice, report: Report): Promise<void> {
  const { rounds } = choice;
  for (let index = 0; isWanted(choice, FAILOVER, ROWS.planned, true) && index < rounds; index += 1) {
    const broken = (seen: OneAddressVerdict): readonly string[] => [
      ...complaints(seen, INTERRUPTION[FAILOVER]),
      ...overrun('the interruption after the address followed', seen.ours, OURS, seen.lag, seen.ping),
    ];
    const verdict = await runInTime(FAILOVER, coordinatedFailover, broken);
    report.count(
      `${FAILOVER}: ${figures(verdict)}, of the interruption after the address followed ${ms(verdict.ours)}`,
      broken(verdict),
    );
  }
  for (let index = 0; isWanted(choice, TLS, 0, true) && index < rounds; index += 1) {
    const broken = (seen?: TlsVerdict): readonly string[] =>
      seen
        ? [
            ...complaints(seen, INTERRUPTION[TLS]),
            ...(/certificate/.test(seen.stranger) ? [] : [`a stranger is told: ${seen.stranger}`]),
          ]
        : [];
    const verdict = await runInTime(TLS, loadOverTls, broken);
    if (!verdict) return report.skip(`${TLS}: ${obstacleToTls()}`);
    report.count(`${TLS}: ${figures(verdict)}`, broken(verdict));
  }
}

function figures({
  overlaps,
  grants,
  losses,
  interruption,
  blocked,
  longestWait,
  lag,
  ping,
}: LoadVerdict): string {
  return (
    `overlaps ${overlaps}, grants ${grants}, losses ${losses}, interruption ${ms(interruption)}, ` +
    `longest of a name ${ms(blocked)}, longest wait ${ms(longestWait)}, lag ${ms(lag)}, ping ${ms(ping)}`
  );
}

function complaints(verdict: LoadVerdict, most = 0): string[] {
  const { violations, refusals, interruption, blocked, lag, ping } = verdict;
  return [
    ...violations,
    ...refusals,
    ...overrun('the interruption', interruption, most, lag, ping),
    ...overrun('a name was blocked', blocked, BLOCKED, lag, ping),
  ];
}
