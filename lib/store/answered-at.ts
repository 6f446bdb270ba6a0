import type { AnswerTo, LockOperation } from './lock-operation.js';
import type { Answered } from './lock-store.js';

/** Completes a store's answer, which is its own and new, in place: a copy costs more than the machine itself. */
export function answeredAt<O extends LockOperation>(
  answer: AnswerTo<O>,
  sentAt: number,
  receivedAt: number,
): Answered<O> {
  const answered = answer as { sentAt?: number; receivedAt?: number };
  answered.sentAt = sentAt;
  answered.receivedAt = receivedAt;
  return answer as Answered<O>;
}
