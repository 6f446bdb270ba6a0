import type { LockStore } from '../store/lock-store.js';
import type { StoreFindings } from '../store/store-findings.js';
import type { LockLog } from './lock-options.js';

const PATIENCE = 4_500;

/** Probes the store and says what it found; with 'warn' it never rejects. @throws LockStoreError */
export async function meetStore(
  store: LockStore,
  startup: 'require' | 'warn',
  log: LockLog,
): Promise<StoreFindings | undefined> {
  try {
    const findings = await store.ready(PATIENCE);
    // What there is to say of memory was said when it was opened.
    if (findings.address !== 'memory') for (const warning of findings.warnings) log.warn(warning);
    return findings;
  } catch (error) {
    if (startup === 'require') throw error;
    log.warn(`${(error as Error).message} Locks fail until it is there (startup: 'warn').`);
    return undefined;
  }
}
