/** What this process calls itself in the orders that it sells. */
export const INSTANCE = Symbol('INSTANCE');
