import { type LockLog, warn } from '../locks/lock-log.js';
import { isGateway } from './locked-method.js';

/** The hooks of gateways. */
const HOOKS = ['afterInit', 'handleConnection', 'handleDisconnect'] as const;

// What decorators of listeners write on a method. Read by key: the packages are none of ours.
const LISTENERS = new Map([
  ['bullmq:worker_events_metadata', '@OnWorkerEvent'],
  ['bullmq:queue_events_metadata', '@OnQueueEvent'],
  ['bull:module_on_queue_event', 'a listener of @nestjs/bull'],
]);

/**
 * Warns of a locked method whose promise nobody awaits, unless it is among those `warned` of: when it rejects, the rejection is
 * unhandled, and Node ends the process.
 */
export function checkHeard(owner: object, method: object, warned: Set<object>, log: LockLog): void {
  const called =
    hookOf(owner, method) ?? [...LISTENERS].find(([key]) => Reflect.hasOwnMetadata(key, method))?.[1];
  if (called === undefined || warned.has(method)) return;
  warned.add(method);
  const place = `${owner.constructor.name}.${(method as { name?: string }).name}`;
  const message =
    `${place} is ${called} and has @Locked, but nobody awaits its promise: when its lock is busy or lost, or the store does ` +
    'not answer, the rejection is unhandled, and Node.js ends the process. Put @Locked on a method of its own, and catch ' +
    'the errors where it is called: this.work().catch((error) => …).';
  warn(log, 'unheard', message, { place });
}

function hookOf(owner: object, method: object): string | undefined {
  if (!isGateway(owner.constructor)) return undefined;
  const hook = HOOKS.find((name) => (owner as Partial<Record<string, unknown>>)[name] === method);
  return hook && 'a hook of a gateway';
}
