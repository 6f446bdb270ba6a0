import { obstacleToTls } from '../../tools/redis/certificates.js';
import { runInTime } from '../proof/time-bounds.js';
import { lossyComplaints, lossyFailover } from './lossy-failover.js';
import { isWanted, type Choice } from './choice.js';
import { ms, span, type Report } from './report.js';
import { ROWS } from './rows.js';
import { complaints, control, runRound, sentinelRounds, type SentinelVerdict } from './sentinel-rounds.js';

export async function inSentinel(choice: Choice, report: Report): Promise<void> {
  const { rounds, quick } = choice;
  for (const round of sentinelRounds) {
    if (!isWanted(choice, round.fault, round.row, round.quick === true)) continue;
    const verdicts: SentinelVerdict[] = [];
    for (let index = 0; index < rounds; index += 1) {
      const broken = (seen?: SentinelVerdict): readonly string[] => (seen ? complaints(round, seen) : []);
      const verdict = await runInTime(round.fault, () => runRound(round), broken);
      if (!verdict) {
        report.skip(`${round.fault}: ${(round.tls && obstacleToTls()) || 'these servers cannot do it'}`);
        break;
      }
      verdicts.push(verdict);
      const { overlaps, grants, losses, interruption, ours, blocked, longestWait, connected, lag, ping } =
        verdict;
      report.count(
        `${round.fault}: overlaps ${overlaps}, grants ${grants}, losses ${losses}, interruption ${ms(interruption)}, ` +
          (ours === undefined ? '' : `of that after the new master was named ${ms(ours)}, `) +
          `longest of a name ${ms(blocked)}, longest wait ${ms(longestWait)}, connected after ${ms(connected)}, ` +
          `lag ${ms(lag)}, ping ${ms(ping)}`,
        broken(verdict),
      );
      if (process.env['SHOW_WARNINGS']) for (const line of verdict.warnings) report.say(`warned: ${line}`);
    }
    if (verdicts.length > 1)
      report.say(
        `${round.fault}: interruption ${span(verdicts.map((each) => each.interruption))}, ` +
          `longest of a name ${span(verdicts.map((each) => each.blocked))} in ${verdicts.length} rounds`,
      );
  }
  for (const leases of quick ? [200] : [2, 100, 1_000]) {
    const words = `lossy failover with ${leases} leases of 30 s`;
    if (![ROWS.lossy, ROWS.ghost].some((row) => isWanted(choice, words, row, true))) continue;
    for (let index = 0; index < rounds; index += 1) {
      const verdict = await runInTime(words, () => lossyFailover(leases), lossyComplaints);
      const { kept, lost, twoHolders, twoHoldersConnected, toldAfter, ghosts, roundTrip, lag } = verdict;
      report.count(
        `${words}: kept ${kept}, lost ${lost}, two holders for ${ms(twoHolders)}, after the new connection for ` +
          `${ms(twoHoldersConnected)}, losses told within ${ms(toldAfter)} of it, ghosts blocked for ${ms(ghosts)}, round trip ${ms(roundTrip)}, lag ${ms(lag)}`,
        lossyComplaints(verdict),
      );
    }
  }
  if (!isWanted(choice, 'control', ROWS.planned, true)) return;
  const seen = await runRound(control);
  report.count(
    `control, planned failover without the detector: ${seen?.overlaps} overlaps are seen`,
    seen && seen.overlaps > 0 ? [] : ['the checker saw none'],
  );
}
