import { type Observable, throwError } from 'rxjs';
import type { LockErrorBody } from './http-exception.js';

/**
 * What Nest makes of an RpcException that was given this object: the client gets the object. The class itself is in a package
 * that may not be installed.
 */
export function rpcError(body: LockErrorBody): Observable<never> {
  return throwError(() => ({ status: 'error', ...body }));
}
