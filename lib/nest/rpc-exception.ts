import type { ArgumentsHost } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import type { LockErrorBody } from './http-exception.js';

/** The codes of gRPC. */
const GRPC = { aborted: 10, internal: 13, unavailable: 14 } as const;

/**
 * What Nest makes of an RpcException that was given this object: the client gets the object. The class itself is in a package
 * that may not be installed. A client of gRPC gets only the message and the code, which has to be a number.
 */
export function rpcError(body: LockErrorBody, host: ArgumentsHost): Observable<never> {
  const code = isGrpc(host) ? grpcCode(body) : body.code;
  return throwError(() => ({ status: 'error', ...body, code }));
}

/** Clients retry what is unavailable by themselves. A busy lock was waited for already, so its caller decides. */
function grpcCode({ code, retryAfter }: LockErrorBody): number {
  if (code === 'LOCK_USAGE') return GRPC.internal;
  const busy = retryAfter !== undefined; // and not refused by a shutdown
  return busy || code === 'LOCK_LOST' ? GRPC.aborted : GRPC.unavailable;
}

/** Whether one of the arguments is a call of @grpc/grpc-js. */
function isGrpc(host: ArgumentsHost): boolean {
  return host.getArgs<unknown[]>().some((argument) => {
    const { sendMetadata, getPeer } = (argument ?? {}) as Record<string, unknown>;
    return typeof sendMetadata === 'function' && typeof getPeer === 'function';
  });
}
