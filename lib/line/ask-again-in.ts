import { CLAIM_WINDOW } from '../store/lock-state.js';

const SOONEST = 5;
const UNHEARD = 100;
const SIGN_OF_LIFE_EVERY = 5_000;
// Of whom the store wants to know more often that they live.
const NEXT_IN_LINE = 4;

/**
 * In how many milliseconds a waiter asks the store again: when the next hold ends (`dueIn`), to show that it lives, and
 * soon if no notice would be `heard`. `random` is at least 0 and less than 1.
 */
export function askAgainIn(
  dueIn: number,
  place: number,
  heard: boolean,
  ttl: number,
  random: number,
): number {
  const alive = place < NEXT_IN_LINE ? Math.min(CLAIM_WINDOW / 1_000, ttl) / 2 : SIGN_OF_LIFE_EVERY;
  const jittered = Math.min(alive, heard ? Infinity : UNHEARD) * (0.9 + random * 0.2);
  return Math.max(SOONEST, Math.min(dueIn + 1, jittered));
}
