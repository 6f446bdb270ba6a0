import type { Direction } from './road.js';
import type { LateBytes } from './wire.js';

type Which = 'commands' | 'notices';

/** Something that goes wrong at a time; spans are milliseconds, and end before everything calms down. */
export type Fault = { readonly at: number } & (
  | {
      readonly kind: 'reset';
      readonly process: number;
      readonly which: Which;
      readonly late: LateBytes;
      /** When the server notices. */
      readonly noticed: number;
    }
  /** Nothing arrives for a while; then everything does, or the connection breaks. */
  | {
      readonly kind: 'hole';
      readonly process: number;
      readonly which: Which;
      readonly directions: readonly Direction[];
      readonly span: number;
      readonly heals: boolean;
    }
  | {
      readonly kind: 'slow';
      readonly process: number;
      readonly which: Which;
      readonly by: number;
      readonly span: number;
    }
  | { readonly kind: 'pause'; readonly process: number; readonly span: number }
  | { readonly kind: 'kill'; readonly process: number; readonly late: LateBytes; readonly noticed: number }
  | { readonly kind: 'shutdown'; readonly process: number; readonly grace: number }
  | { readonly kind: 'jump'; readonly process: number; readonly by: number }
  | { readonly kind: 'freeze'; readonly span: number }
  | { readonly kind: 'refuse'; readonly span: number }
  | { readonly kind: 'mute'; readonly span: number }
  | { readonly kind: 'flush' }
  /** Another server, empty, whose clock shows another time. */
  | { readonly kind: 'restart'; readonly by: number }
  | { readonly kind: 'step'; readonly by: number }
  | { readonly kind: 'revoke'; readonly name: string; readonly force: boolean }
);
