import { obstacleToTls } from '../../tools/redis/certificates.js';
import { runInTime } from '../proof/time-bounds.js';
import { isWanted, type Choice } from './choice.js';
import { clusterComplaints, clusterRounds, runClusterRound, type ClusterVerdict } from './cluster-rounds.js';
import { halfMigratedSlot } from './half-migrated.js';
import { ROWS } from './rows.js';
import { ms, type Report } from './report.js';

const OPERATIONS = 1_000;

export async function inCluster(choice: Choice, report: Report): Promise<void> {
  const { rounds } = choice;
  for (const round of clusterRounds) {
    if (!isWanted(choice, round.fault, round.row, round.quick === true)) continue;
    for (let index = 0; index < rounds; index += 1) {
      const broken = (seen?: ClusterVerdict): readonly string[] =>
        seen ? clusterComplaints(round, seen) : [];
      const verdict = await runInTime(round.fault, () => runClusterRound(round), broken);
      if (!verdict) {
        report.skip(`${round.fault}: ${(round.tls && obstacleToTls()) || 'these servers cannot do it'}`);
        break;
      }
      const {
        overlaps,
        grants,
        losses,
        victims,
        others,
        promotion,
        blocked,
        longestWait,
        lag,
        ping,
        listeners,
      } = verdict;
      report.count(
        `${round.fault}: overlaps ${overlaps}, grants ${grants}, losses ${losses}, ` +
          (promotion === undefined ? '' : `promoted after ${ms(promotion)}, `) +
          `names of the victim ${ms(victims)} from ${round.from}, other names ${ms(others)}` +
          `${listeners ? ` (${listeners} processes listened at the victim)` : ''}, longest of a name ` +
          `${ms(blocked)}, longest wait ${ms(longestWait)}, lag ${ms(lag)}, ping ${ms(ping)}`,
        broken(verdict),
      );
      if (!process.env['SHOW_WARNINGS']) continue;
      for (const line of verdict.warnings) report.say(`warned: ${line}`);
      for (const line of verdict.impatient?.refusals ?? [])
        report.say(`told to callers with a short wait: ${line}`);
    }
  }
  const words = `half-migrated slot, ${OPERATIONS} operations`;
  for (let index = 0; isWanted(choice, words, ROWS.migration, true) && index < rounds; index += 1) {
    const { operations, errors, source, target, longest, lag } = await halfMigratedSlot(OPERATIONS);
    report.count(
      `${words}: ${operations} done, ${errors.length} errors, keys left at the source ${source}, at the target ${target}, ` +
        `longest ${ms(longest)}, lag ${ms(lag)}`,
      errors,
    );
  }
}
