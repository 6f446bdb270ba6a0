/**
 * The channels on which locks tell what happens to them. Channels are global by name, so every copy of this package in a
 * process publishes on the same ones. Nobody listens as a rule: whoever publishes on a hot path looks at `hasSubscribers`
 * first, and makes the message only then.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { LockBusyError, LockLostReason, LockStoreError } from '../base/errors.js';
import type { LockAcquireEvent, LockEvent, LockEvents, LockStoreErrorEvent } from './lock-events.js';
import { labelOf, type Request, type Terms } from './request.js';

/** What the names of all channels begin with. */
export const PREFIX = 'nestjs-distributed-lock';

export const acquireChannel = tracingChannel<unknown, LockAcquireEvent>(`${PREFIX}:acquire`);
export const grantedChannel = channel(`${PREFIX}:granted`);
export const releasedChannel = channel(`${PREFIX}:released`);
export const renewedChannel = channel(`${PREFIX}:renewed`);
export const lingeringChannel = channel(`${PREFIX}:lingering`);
const atRiskChannel = channel(`${PREFIX}:at-risk`);
const busyChannel = channel(`${PREFIX}:busy`);
const lostChannel = channel(`${PREFIX}:lost`);
const revokedChannel = channel(`${PREFIX}:revoked`);
const storeErrorChannel = channel(`${PREFIX}:store-error`);

/** Whether anybody listens to any of the channels. */
export function observed(): boolean {
  return (
    acquireChannel.hasSubscribers ||
    [grantedChannel, releasedChannel, renewedChannel, atRiskChannel, busyChannel, lostChannel].some(
      ({ hasSubscribers }) => hasSubscribers,
    )
  );
}

/** What is held: a hold and its present fence. */
interface Held {
  readonly hold: { readonly id: string; readonly name: string; readonly terms: Terms };
  readonly fence: number;
  /** `host:pid label` of the caller. */
  readonly identity: string;
}

/** Asks with `ask`, and traces it: the request that `ask` is given carries the context of the trace. */
export function traced<L>(
  request: Request,
  session: string,
  ask: (traced: Request) => Promise<L>,
): Promise<L> {
  const { name, terms, wait } = request;
  const { identity, units, capacity } = terms;
  const trace: LockAcquireEvent = { ...eventOf(name, identity, units), capacity, session, wait };
  return acquireChannel.tracePromise(() => ask({ ...request, trace }), trace);
}

export function publishGranted(
  lease: Held & { readonly remaining: number },
  { trace }: Request,
  waited: number,
  handedOff: boolean,
): void {
  const { capacity } = lease.hold.terms;
  grantedChannel.publish({
    ...heldEvent(lease),
    waited,
    handedOff,
    capacity,
    remaining: lease.remaining,
    ...(trace && { acquire: trace }),
  } satisfies LockEvents['nestjs-distributed-lock:granted']);
}

export function publishBusy(
  { name, terms, trace }: Request,
  { reason, waited, holder }: LockBusyError,
): void {
  if (!busyChannel.hasSubscribers) return;
  busyChannel.publish({
    ...eventOf(name, terms.identity, terms.units),
    reason,
    waited,
    ...(holder && { holder }),
    ...(trace && { acquire: trace }),
  } satisfies LockEvents['nestjs-distributed-lock:busy']);
}

export function publishReleased(lease: Held, held: number): void {
  releasedChannel.publish({
    ...heldEvent(lease),
    held,
  } satisfies LockEvents['nestjs-distributed-lock:released']);
}

export function publishLost(
  lease: Held & { readonly hold: { readonly revokeReason?: string | undefined } },
  held: number,
  reason: LockLostReason,
): void {
  if (!lostChannel.hasSubscribers) return;
  const { revokeReason } = lease.hold;
  lostChannel.publish({
    ...heldEvent(lease),
    held,
    reason,
    ...(reason === 'revoked' && revokeReason ? { revokeReason } : {}),
  } satisfies LockEvents['nestjs-distributed-lock:lost']);
}

export function publishLingering(lease: Held, linger: number): void {
  lingeringChannel.publish({
    ...heldEvent(lease),
    linger,
  } satisfies LockEvents['nestjs-distributed-lock:lingering']);
}

export function publishRenewed(held: Held, lag: number, took: number, remaining: number): void {
  renewedChannel.publish({
    ...heldEvent(held),
    lag,
    took,
    remaining,
  } satisfies LockEvents['nestjs-distributed-lock:renewed']);
}

export function publishAtRisk(lease: Held, held: number, remaining: number): void {
  if (!atRiskChannel.hasSubscribers) return;
  atRiskChannel.publish({
    ...heldEvent(lease),
    held,
    remaining,
  } satisfies LockEvents['nestjs-distributed-lock:at-risk']);
}

export function publishRevoked(event: LockEvents['nestjs-distributed-lock:revoked']): void {
  revokedChannel.publish(event);
}

export function publishStoreError(
  name: string,
  command: LockStoreErrorEvent['command'],
  { refused, message }: LockStoreError,
): void {
  if (!storeErrorChannel.hasSubscribers) return;
  const event: LockStoreErrorEvent = { name, command, refused, message };
  storeErrorChannel.publish(event);
}

function heldEvent({ hold, fence, identity }: Held): LockEvent & { fence: number; leaseId: string } {
  const { id, name, terms } = hold;
  return { ...eventOf(name, identity, terms.units), fence, leaseId: `${id}:${fence}` };
}

function eventOf(name: string, identity: string, units: number): LockEvent {
  const label = labelOf(identity);
  return { name, ...(label !== '' && { label }), units };
}
