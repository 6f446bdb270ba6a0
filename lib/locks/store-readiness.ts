import type { LockStore, StoreFindings } from '../store/lock-store.js';
import { type LockLog, warn } from './lock-log.js';

const START_TIMEOUT = 4_500;

/** Asks a store whether it can be used, at the start and whenever somebody wants to know, and logs what was not so before. */
export class StoreReadiness {
  /** What the last answer warned of. */
  private known: readonly string[] = [];

  constructor(
    private readonly store: LockStore,
    private readonly startup: 'require' | 'warn',
    private readonly log: LockLog,
  ) {}

  /** With 'warn' it never rejects. @throws LockStoreError */
  async ready(): Promise<StoreFindings | undefined> {
    const { store } = this;
    try {
      const findings = await store.ready(START_TIMEOUT);
      // The warnings about memory were logged when it was opened.
      if (findings.address !== 'memory') this.warnOf(findings.warnings, findings.address);
      return findings;
    } catch (error) {
      if (this.startup === 'require') throw error;
      const { message } = error as Error;
      this.warnOf([`${message} Locks fail until it can be reached (startup: 'warn').`], store.address);
      return undefined;
    }
  }

  private warnOf(warnings: readonly string[], address: string): void {
    for (const warning of warnings)
      if (!this.known.includes(warning)) warn(this.log, 'store-warning', warning, { address });
    this.known = warnings;
  }
}
