import { obstacleToTls } from '../../tools/redis/certificates.js';
import { isWanted, type Choice } from './choice.js';
import { ROWS } from './rows.js';
import type { LoadVerdict } from './load.js';
import { coordinatedFailover } from './one-address.js';
import { ms, type Report } from './report.js';
import { loadOverTls } from './tls.js';

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
    const verdict = await coordinatedFailover();
    const { ours, lag, ping } = verdict;
    report.count(
      `${FAILOVER}: ${figures(verdict)}, of the interruption after the address followed ${ms(ours)}`,
      [
        ...complaints(verdict, INTERRUPTION[FAILOVER]),
        ...(ours > OURS + lag + ping ? [`interrupted for ${ms(ours)} after the address followed`] : []),
      ],
    );
  }
  for (let index = 0; isWanted(choice, TLS, 0, true) && index < rounds; index += 1) {
    const verdict = await loadOverTls();
    if (!verdict) return report.skip(`${TLS}: ${obstacleToTls()}`);
    const told = /certificate/.test(verdict.stranger) ? [] : [`a stranger is told: ${verdict.stranger}`];
    report.count(`${TLS}: ${figures(verdict)}`, [...complaints(verdict, INTERRUPTION[TLS]), ...told]);
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
  const bad = [...violations, ...refusals];
  if (interruption > most + lag + ping) bad.push(`interrupted for ${ms(interruption)}`);
  if (blocked > BLOCKED + lag + ping) bad.push(`a name was blocked for ${ms(blocked)}`);
  return bad;
}
