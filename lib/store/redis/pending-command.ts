import type { Deadline } from '../../base/shared-timer.js';
import { Link } from '../../base/chain.js';
import type { LockStoreError } from '../../base/errors.js';
import type { ClockOfServer } from './native-command.js';
import type { ServerSample } from '../server-clock.js';

/** Who sends commands, and is told how they end. */
export interface CommandHost {
  /** What the clock shows of the server that it sends to. */
  sample: ServerSample | undefined;
  /** What native commands know of its clock, where there are any. */
  readonly native?: ClockOfServer | undefined;
  /** Returns the time. */
  answered(command: PendingCommand): number;
  /** Returns what its caller is told. */
  refused(command: PendingCommand, error: unknown): LockStoreError;
  silent(command: PendingCommand): LockStoreError;
}

/** One command in flight: it ends by its answer, its failure or its deadline, whichever comes first. */
export class PendingCommand<T = never> extends Link<Deadline> implements Deadline {
  readonly deadline: number;
  /** Its time is over, whatever is answered still. */
  tooLate = false;

  constructor(
    /** Who sends it; another one when it is sent elsewhere. */
    public host: CommandHost,
    readonly what: string,
    readonly timeout: number,
    sentAt: number,
    private readonly done: (value: T, receivedAt: number) => void,
    private readonly failed: (error: LockStoreError) => void,
  ) {
    super();
    this.deadline = sentAt + timeout;
  }

  resolve(value: T): void {
    const receivedAt = this.host.answered(this);
    if (!this.tooLate) this.done(value, receivedAt);
  }

  reject(error: unknown): void {
    const told = this.host.refused(this, error);
    if (!this.tooLate) this.failed(told);
  }

  /** It was not sent at all, and is not going to be. */
  fail(error: LockStoreError): void {
    if (!this.tooLate) this.failed(error);
  }

  missed(): void {
    this.tooLate = true;
    this.failed(this.host.silent(this));
  }
}
