import { Catch, type ExceptionFilter } from '@nestjs/common';

class NeverThrown {}

/**
 * What `filter: false` registers: options may come from a factory, when it is too late not to register.
 * A filter without `@Catch` arguments would catch everything.
 */
@Catch(NeverThrown)
export class NoFilter implements ExceptionFilter {
  catch(): void {}
}
