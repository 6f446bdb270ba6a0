import { IsIn } from 'class-validator';

export class OrderOptions {
  /** `off` runs the same code without the lock, for contrast. */
  @IsIn(['on', 'off'])
  lock: 'on' | 'off' = 'on';
}
