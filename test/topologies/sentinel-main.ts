import { lossyComplaints, lossyFailover } from './lossy-failover.js';
import type { Choice } from './choice.js';
import { ms, span, type Report } from './report.js';
import { complaints, control, runRound, sentinelRounds, type SentinelVerdict } from './sentinel-rounds.js';

/** In the part that is quick: a planned failover, a kill, one lossy failover and the control. */
const QUICK = /^(planned failover|the master is killed)$/;

export async function inSentinel({ rounds, only, quick }: Choice, report: Report): Promise<void> {
  for (const round of sentinelRounds) {
    if (!round.fault.includes(only) || (quick && !QUICK.test(round.fault))) continue;
    const verdicts: SentinelVerdict[] = [];
    for (let index = 0; index < rounds; index += 1) {
      const verdict = await runRound(round);
      if (!verdict) {
        report.skip(`${round.fault}: these servers cannot do it`);
        break;
      }
      verdicts.push(verdict);
      const { overlaps, grants, losses, interruption, blocked, longestWait, connected, lag, ping } = verdict;
      report.count(
        `${round.fault}: overlaps ${overlaps}, grants ${grants}, losses ${losses}, interruption ${ms(interruption)}, ` +
          `longest of a name ${ms(blocked)}, longest wait ${ms(longestWait)}, connected after ${ms(connected)}, ` +
          `lag ${ms(lag)}, ping ${ms(ping)}`,
        complaints(round, verdict),
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
    if (!words.includes(only)) continue;
    for (let index = 0; index < rounds; index += 1) {
      const verdict = await lossyFailover(leases);
      const { kept, lost, twoHolders, twoHoldersConnected, toldAfter, roundTrip, lag } = verdict;
      report.count(
        `${words}: kept ${kept}, lost ${lost}, two holders for ${ms(twoHolders)}, after the new connection for ` +
          `${ms(twoHoldersConnected)}, losses told within ${ms(toldAfter)} of it, round trip ${ms(roundTrip)}, lag ${ms(lag)}`,
        lossyComplaints(verdict),
      );
    }
  }
  if (!'control'.includes(only)) return;
  const seen = await runRound(control);
  report.count(
    `control, planned failover without the detector: ${seen?.overlaps} overlaps are seen`,
    seen && seen.overlaps > 0 ? [] : ['the checker saw none'],
  );
}
