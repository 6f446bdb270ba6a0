/**
 * Where the locks say what an operator should know. The `Logger` of Nest is one.
 *
 * @publicApi
 */
export interface LockLog {
  /** What an operator should look at. */
  warn(message: string): void;
  /** What is good to know, for example that Redis is back. @default `warn` */
  log?(message: string): void;
}

/** Says what is good to know, to whatever the log has for it. */
export function inform(log: LockLog, message: string): void {
  if (log.log) log.log(message);
  else log.warn(message);
}
