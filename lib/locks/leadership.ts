import { AsyncLocalStorage } from 'node:async_hooks';
import { shown } from '../base/duration.js';
import {
  LockBusyError,
  LockLostError,
  type LockLostReason,
  LockStoreError,
  LockUsageError,
} from '../base/errors.js';
import { checkName } from '../base/name.js';
import type { LeaseMaker } from '../line/caller.js';
import type { LineLease } from '../line/line-lease.js';
import { LeaseHandle, type LockSetup, type ReleaseOptions } from './lease-handle.js';
import { checkOptions } from './checks.js';
import { namesFor } from './option-table.js';
import type { AcquireOptions, Lease } from './lock.js';
import { type LockLog, warn } from './lock-log.js';

/**
 * Why a process is no longer the leader: its lease was lost, it was `stopped`, its own work `failed`, or its own work has
 * `released` the lease.
 *
 * @publicApi
 */
export type StepDownReason = LockLostReason | 'stopped' | 'failed';

/**
 * What happens when this process becomes the leader, and when it stops being the leader.
 *
 * @publicApi
 */
export interface LeaderHandlers {
  /**
   * This process is the leader until `lease` is lost or `stop` is called, even after this function has returned. When it
   * rejects, or when anybody calls `lease.release()`, the process steps down and campaigns again a second later. After a
   * loss or a release the process does not campaign before this function has ended, so let it listen to `lease.signal`,
   * which tells a loss, and to `onRevoked`, which tells both.
   */
  onElected(lease: Lease): Promise<void>;
  /**
   * This process is no longer the leader. At `stop` this is awaited before the lease is given back; otherwise the lease
   * is over before this is called, except for entries that still work.
   */
  onRevoked?(reason: StepDownReason): void | Promise<void>;
}

/**
 * A process that campaigns for the lead.
 *
 * @publicApi
 */
export interface Leader {
  /** Whether this process leads now; computed from clocks at each read. */
  readonly leading: boolean;
  /**
   * Ends the campaign, or steps down. Resolves when the lead is given back. The `onRevoked` that a stop awaits may call
   * this, too: it then resolves at once, and the lead is given back when `onRevoked` has ended.
   */
  stop(): Promise<void>;
}

/** The options of an acquisition that a campaign takes, too; it waits until it is stopped. */
export type LeadOptions = Pick<AcquireOptions, 'ttl' | 'maxHold' | 'renew' | 'label'>;

const PAUSE = 1_000;
const LEAD_OPTIONS = namesFor('lead');

/** The lease of a leader. */
class LeadLease extends LeaseHandle {
  private tellGivenBack!: () => void;
  /** Resolves when anybody gives it back. The signal does not tell that, and no longer tells a loss found at that time. */
  readonly givenBack = new Promise<void>((resolve) => (this.tellGivenBack = resolve));

  override release(terms?: ReleaseOptions): Promise<'released' | 'expired'> {
    const back = super.release(terms);
    this.tellGivenBack();
    return back;
  }
}

/** Campaigns for the lease of a name, leads while it is held, and campaigns again. */
export class Leadership implements Leader, LeaseMaker<LeadLease> {
  private readonly stopping = new AbortController();
  /** Resolves when the campaign is over and the lead was given back. */
  readonly ended: Promise<void>;
  private lease: LeadLease | undefined;
  /** Whether the last try failed because of the store. */
  private storeFailed = false;
  /** Resolves when `onRevoked` was called for the present lease or the last one. */
  private revoked = new Promise<void>(() => undefined);
  /** The call of `onRevoked` that a stop awaits, in the async context of that call. */
  private readonly awaited = new AsyncLocalStorage<{ running: boolean }>();

  constructor(
    private readonly name: string,
    private readonly handlers: LeaderHandlers,
    private readonly options: LeadOptions,
    private readonly setup: LockSetup,
    private readonly log: LockLog,
  ) {
    checkName(name);
    checkHandlers(handlers, name);
    checkOptions(options, name, LEAD_OPTIONS);
    setup.settings.request(name, options, 0); // so that a bad option throws here, and not in the campaign
    this.ended = this.run();
  }

  get leading(): boolean {
    return this.lease?.held ?? false;
  }

  /** Like `stop`, but resolves as soon as `onRevoked` was called, however long that takes. */
  async stepDown(): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.ended, this.revoked]);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    if (this.awaited.getStore()?.running) return; // it would wait for its own caller
    await this.ended;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        const lease = await this.take(signal);
        // It may have been stopped after the grant, before this went on.
        if (signal.aborted) return void (await lease.release());
        this.lease = lease;
        this.storeFailed = false;
        await this.lead(lease);
      } catch (error) {
        if (signal.aborted || (error instanceof LockBusyError && error.reason === 'closed')) return;
        this.failed(error);
        await this.pause(PAUSE);
      }
    }
  }

  /** One line for an outage, and not one for each try; one for each election whose work failed. */
  private failed(error: unknown): void {
    const known = this.storeFailed && error instanceof LockStoreError;
    this.storeFailed = error instanceof LockStoreError;
    if (known) return;
    const message = `The campaign for '${this.name}' failed and goes on: ${messageOf(error)}`;
    warn(this.log, 'campaign', message, { lock: this.name });
  }

  /** Nobody awaits a campaign: a process that has nothing else to do ends while another one leads. */
  private take(signal: AbortSignal): Promise<LeadLease> {
    const { lines, settings } = this.setup;
    const request = settings.request(this.name, { ...this.options, wait: Infinity, signal }, 0);
    const unattended = { ...request, by: 'using', unattended: true } as const;
    return lines.acquire(unattended, this);
  }

  leaseOn(lineLease: LineLease): LeadLease {
    const lease = new LeadLease(lineLease, this.setup);
    lease.staysWith = 'lead';
    return lease;
  }

  private async lead(lease: LeadLease): Promise<void> {
    const { signal } = this.stopping;
    let revoked!: () => void;
    this.revoked = new Promise((resolve) => (revoked = resolve));
    const elected = (async () => this.handlers.onElected(lease))();
    const reason = await this.whenOver(lease, elected);
    if (reason === 'stopped') {
      try {
        const told = this.tellAwaited(reason);
        revoked();
        await told;
      } finally {
        await lease.release();
      }
      return;
    }
    const ownDoing = reason === 'failed' || reason === 'released';
    // After a loss, work may fail because of it.
    const worked = elected.catch((error: unknown) => ownDoing && this.failed(error));
    const back = lease.release();
    const told = this.tell(reason);
    revoked();
    if (ownDoing) await back;
    // The work of one election ends before the next one begins; it can see that its lease is over. So do onRevoked and,
    // after a loss, entries that still work. A stop waits for none of them.
    await endOrAbort(Promise.all([back, told, worked]), signal);
    if (ownDoing) await this.pause(PAUSE);
  }

  /** Resolves when this process no longer leads, with the reason. */
  private async whenOver(lease: LeadLease, elected: Promise<void>): Promise<StepDownReason> {
    let end!: (reason: StepDownReason) => void;
    const over = new Promise<StepDownReason>((resolve) => (end = resolve));
    const forgetStop = onAbort(this.stopping.signal, () => end('stopped'));
    const forgetLoss = onAbort(lease.signal, () => {
      const reason: unknown = lease.signal.reason;
      end(reason instanceof LockLostError ? reason.reason : 'expired');
    });
    elected.catch(() => end('failed'));
    void lease.givenBack.then(() => end(lease.lineLease.over ?? 'released'));
    try {
      return await over;
    } finally {
      forgetStop();
      forgetLoss();
    }
  }

  /** Resolves when `onRevoked` has ended; never rejects. */
  private async tell(reason: StepDownReason): Promise<void> {
    try {
      await this.handlers.onRevoked?.(reason);
    } catch (error) {
      const message = `onRevoked of the leader of '${this.name}' failed: ${messageOf(error)}`;
      warn(this.log, 'campaign', message, { lock: this.name });
    }
  }

  /** Like `tell`, when a stop awaits it. */
  private async tellAwaited(reason: StepDownReason): Promise<void> {
    const call = { running: true };
    try {
      await this.awaited.run(call, () => this.tell(reason));
    } finally {
      call.running = false;
      this.awaited.disable(); // Node carries every storage in use through all asynchronous calls of the process
    }
  }

  private pause(ms: number): Promise<void> {
    const over = new Promise<void>((resolve) => this.setup.clock.after(ms, resolve));
    return endOrAbort(over, this.stopping.signal);
  }
}

/** @throws LockUsageError for handlers that could not be called */
function checkHandlers(handlers: unknown, name: string): void {
  if (typeof handlers !== 'object' || handlers === null)
    throw new LockUsageError(
      `The handlers of lead must be an object with a function onElected; they were ${shown(handlers)}.`,
      name,
    );
  const { onElected, onRevoked } = handlers as Record<string, unknown>;
  for (const [handler, given] of Object.entries({ onElected, onRevoked }))
    if (typeof given !== 'function' && (given !== undefined || handler === 'onElected'))
      throw new LockUsageError(`The handler ${handler} takes a function; it was ${shown(given)}.`, name);
}

/** Calls `listener` when the signal aborts, or at once if it has. Returns what removes the listener. */
function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener);
  return () => signal.removeEventListener('abort', listener);
}

/** Resolves when `work` has ended well or the signal aborts. It leaves no listener: a campaign has one signal for ever. */
async function endOrAbort(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let forget!: () => void;
  const abort = new Promise<void>((resolve) => (forget = onAbort(signal, resolve)));
  try {
    await Promise.race([work, abort]);
  } finally {
    forget();
  }
}

/** What an error says. Users' code may reject with anything, also with nothing. */
function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : shown(error);
}
