// Arguments: url, number of leases, milliseconds to keep them. Sends 'started', then what it took. Needs --expose-gc.
import { keepLeases } from './leases.js';

const [url = '', leases, ms] = process.argv.slice(2);
const keeping = await keepLeases(url, Number(leases), Number(ms), () => process.send?.('started'));
process.send?.(keeping);
process.disconnect();
