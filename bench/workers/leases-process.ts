// Arguments: url, number of leases, milliseconds to keep them. Sends 'started', then what it took. Needs --expose-gc.
// Without milliseconds: url, number of callers and names. Sends what they took.
import { crowding, keepLeases } from './leases.js';

const [url = '', count, ms] = process.argv.slice(2);
const outcome =
  ms === undefined
    ? await crowding(url, Number(count))
    : await keepLeases(url, Number(count), Number(ms), () => process.send?.('started'));
process.send?.(outcome);
process.disconnect();
