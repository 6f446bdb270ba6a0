import type { LockLabel, LockSignal } from './lock-key.js';
import type { LockedOptions } from './locked-options.js';

/** What a decorator or a LockInterceptor says about what it locks; for checks at the start and for `lockedMethods`. */
export interface LockedMark {
  readonly decorator: '@Locked' | '@LockedStream' | 'LockInterceptor';
  /** The prototype that the decorated method belongs to. */
  readonly target?: object;
  /** Where it stands, for people: `@Locked on StockService.reserve`. */
  readonly where: string;
  /** The names and templates; undefined when a function makes the names. */
  readonly texts: readonly string[] | undefined;
  /** The label of a template. */
  readonly label: string | undefined;
  readonly options: LockedOptions<LockSignal | undefined, LockedOptions['onBusy'], LockLabel>;
}

// Not the key of older versions, whose value has another form.
const MARKS = Symbol.for('nestjs-distributed-lock:marks');

/** Marks a locked method, or the class of a LockInterceptor, in addition to the marks it has. */
export function mark(place: object, added: LockedMark, others: readonly LockedMark[] = []): void {
  Reflect.defineMetadata(MARKS, [added, ...others], place);
}

/** The marks of a method or interceptor class, the outermost decorator first. */
export function marksOf(place: object): readonly LockedMark[] {
  return (Reflect.getOwnMetadata(MARKS, place) as LockedMark[] | undefined) ?? [];
}
