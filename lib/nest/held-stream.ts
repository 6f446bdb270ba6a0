import { defer, Observable, ReplaySubject, type Subscriber, Subscription, takeUntil } from 'rxjs';
import { shown } from '../base/duration.js';
import { LockError, type LockLostError, LockUsageError } from '../base/errors.js';
import { orRejected } from '../locks/checks.js';
import type { TakenLease } from '../locks/lease-handle.js';
import type { Lease } from '../locks/lock.js';
import type { LockService } from '../locks/lock-service.js';
import { type HttpResponse, whenOver } from './http-response.js';
import { boundSteps, type BoundSteps, discard, streamKindOf } from './streamed-body.js';

/** A subscription that waits for its lock. */
export interface StreamWait {
  /** Ends the wait. */
  readonly leaving: AbortController;
  /** Undone when the wait is over. */
  readonly watches: Subscription;
}

/** What is subscribed under a lock, and how. */
export interface HeldSource {
  /** Waits for the lock and runs the work under it; resolves with the value of `onBusy` when the work did not begin. */
  readonly run: (work: (lease: Lease) => Promise<void>, wait: StreamWait) => Promise<unknown>;
  readonly locks: () => LockService;
  readonly source: (lease: Lease) => Observable<unknown>;
  /** The response that ends the hold; without one the end of the source does. */
  readonly response?: HttpResponse | undefined;
  /**
   * Whether it is known to be a stream. Otherwise it may be a promise until it emits: its work goes on when nobody
   * listens, and the lock is held until that work is done.
   */
  readonly streams: boolean;
  /** Whether a server waits for it before it closes. */
  readonly answers: () => boolean;
  /** Whether a skipped subscription emits undefined; otherwise it only completes. */
  readonly emitsSkipped: boolean;
  /** The error that subscribers get. */
  readonly told?: ((error: unknown) => unknown) | undefined;
}

/**
 * An Observable that holds a lock for each subscription, from before its source is subscribed until the source has ended
 * and the response was sent. When the lease is lost, the stream ends with the LockLostError.
 */
export function heldStream(held: HeldSource): Observable<unknown> {
  return new Observable((subscriber) => {
    const { run, told = (error: unknown) => error } = held;
    const wait = { leaving: new AbortController(), watches: new Subscription() };
    let entered = false;
    const work = (lease: Lease): Promise<void> => {
      wait.watches.unsubscribe();
      if (subscriber.closed) return Promise.resolve();
      entered = true;
      return new Promise((resolve, reject) => new HeldSubscription(held, lease, subscriber, resolve, reject));
    };
    subscriber.add(() => {
      wait.watches.unsubscribe();
      if (!entered) wait.leaving.abort();
    });
    orRejected(() => run(work, wait)).then(
      (fallback) => {
        if (!entered && (fallback !== undefined || held.emitsSkipped)) subscriber.next(fallback);
        subscriber.complete();
      },
      (error: unknown) => subscriber.error(told(error)),
    );
  });
}

/** One subscription to a source while its lock is held. */
class HeldSubscription {
  // A synchronous source emits everything before its subscription is known, and may be stopped before it is subscribed.
  private readonly stopped = new ReplaySubject<void>(1);
  private readonly watches = new Subscription();
  private watching = false;
  private emitted = false;
  /** Whether the source has ended, or was ended. */
  private ended = false;
  private streamed = false;
  /** The generator whose steps are the body. */
  private steps: BoundSteps | undefined;

  constructor(
    private readonly held: HeldSource,
    private readonly lease: Lease,
    private readonly subscriber: Subscriber<unknown>,
    private readonly resolve: () => void,
    private readonly reject: (error: unknown) => void,
  ) {
    subscriber.add(() => this.left());
    if (held.streams) this.watch();
    defer(() => held.source(lease))
      .pipe(takeUntil(this.stopped))
      .subscribe({
        next: (value) => this.next(value),
        error: (error) => this.failed(error),
        complete: () => this.completed(),
      });
  }

  private next(value: unknown): void {
    const loss = lossOf(this.lease);
    const first = !this.emitted;
    this.emitted = true;
    if (loss && (this.held.streams || !first)) {
      discard(value);
      return this.lost(loss);
    }
    // A promise ends with its value; whatever goes on after that is a stream.
    if (!this.watching)
      queueMicrotask(() => {
        if (this.ended) return;
        if (this.subscriber.closed) this.stop();
        else this.watch();
      });
    // It may be a promise, which ends now: then the error has its outcome.
    if (loss || this.subscriber.closed) return discard(value);
    this.subscriber.next(this.held.response ? this.bound(value) : value);
  }

  /** The value as the response sends it. */
  private bound(value: unknown): unknown {
    const kind = streamKindOf(value);
    // Without a value the handler may have a stream of its own, which it sends itself.
    this.streamed = kind !== undefined || value === undefined;
    if (kind !== 'an async generator') return value;
    const steps = boundSteps(value as AsyncGenerator<unknown, unknown, unknown>);
    this.steps = steps;
    return steps.body;
  }

  private completed(): void {
    if (this.ended) return; // stopped
    this.ended = true;
    const { response } = this.held;
    // After a loss `using` rejects, and its error has the outcome.
    if (!response || lossOf(this.lease)) return this.end();
    // The response is sent after the completion, so the lock is held on.
    if (this.streamed) this.watch();
    this.watches.add(whenOver(response, () => this.end()));
    this.subscriber.complete();
  }

  /** Nobody listens any more, or everything was said. */
  private left(): void {
    if (this.ended) return;
    if (!this.held.streams && !this.emitted) return;
    this.stop();
  }

  private stop(): void {
    this.ended = true;
    this.stopped.next(); // before the release
    this.end();
  }

  /** Ends it at once when its lease is lost. */
  private watch(): void {
    if (this.watching) return;
    this.watching = true;
    const { lease, held } = this;
    const { signal } = lease;
    // Of several names the first one, as `using` finds it.
    const lost = (): void => this.lost(lossOf(lease) ?? (signal.reason as LockLostError));
    if (signal.aborted) return lost();
    signal.addEventListener('abort', lost, { once: true });
    this.watches.add(() => signal.removeEventListener('abort', lost));
    if (held.answers()) this.watches.add(keepStream(held.locks(), lease));
  }

  private lost(loss: LockLostError): void {
    const sending = this.ended;
    this.ended = true;
    this.stopped.next();
    if (this.steps) this.steps.fail(loss);
    else if (sending) this.held.response?.destroy?.();
    this.failed(loss);
  }

  private end(): void {
    this.ended = true;
    this.watches.unsubscribe();
    this.resolve();
  }

  private failed(error: unknown): void {
    this.ended = true;
    this.watches.unsubscribe();
    this.reject(error);
  }
}

/** How the lease was lost; undefined while it is held, and for work that runs without the lock. */
export function lossOf(lease: Lease): LockLostError | undefined {
  if (lease.held) return undefined;
  try {
    lease.assertHeld();
  } catch (error) {
    // Checked by its code, since the lease may come from another copy of this package.
    if (LockError.is(error) && error.code === 'LOCK_LOST') {
      const loss = error as LockLostError;
      return loss.reason === 'released' ? undefined : loss;
    }
  }
  return undefined;
}

/** Passes on the abort of a signal; returns a function that stops doing so. @throws LockUsageError unless it is a signal */
export function whenAborted(signal: AbortSignal, leaving: AbortController, where: string): () => void {
  if (!(signal instanceof AbortSignal))
    throw new LockUsageError(
      `The function given as option signal of ${where} must return an AbortSignal; it returned ${shown(signal)}.`,
    );
  const abort = (): void => leaving.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

/** Loses the lease of a stream when a shutdown has waited for it for long enough; returns what forgets it. */
export function keepStream(
  locks: Partial<Pick<LockService, 'keepStream'>>, // that of an older copy of this package cannot
  lease: Lease,
): () => void {
  return locks.keepStream?.(() => (lease as TakenLease).loseAtShutdown()) ?? (() => undefined);
}
