import type { DatedHold } from '../native-grant.js';
import type { ServerSample } from '../server-clock.js';

/** A free mutex is to be taken: the record is written as it is, unless there is one. */
export interface NativeAcquire {
  readonly kind: 'acquire';
  readonly record: string;
  readonly hold: DatedHold;
  /** It was sent, and what became of it is not known. */
  unknown: boolean;
  /** Its id was given back meanwhile: no script is to ask for it any more. */
  givenUp: boolean;
}

/** A mutex is to be given back whose record is still as it was written. */
export interface NativeRelease {
  readonly kind: 'release';
  readonly record: string;
}

export type NativeCommand = NativeAcquire | NativeRelease;

/** The server has done what it was asked for; or, without a time, a hold that nobody wants any more was not taken. */
export class NativeReply {
  constructor(
    /** What its clock showed then, in microseconds; undefined where it did not say, or was not asked. */
    readonly now: number | undefined,
  ) {}
}

/** What is known of a server's clock, as far as native commands need it. */
export interface ClockOfServer {
  /** The sample to date a hold by, where `latest` is the last one. */
  sample(latest: ServerSample | undefined, now: number): ServerSample | undefined;
  /** The clock has stepped: what was known of it is wrong. */
  forgetSample(): void;
}

/** How a native command ends. */
export interface NativeOutcome {
  replied(reply: NativeReply): void;
  /** It has changed nothing, and the script is to decide. */
  otherwise(): void;
  /** It may have been read, or not; or it was not sent. */
  failed(error: Error): void;
}
