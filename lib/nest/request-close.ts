import type { ExecutionContext } from '@nestjs/common';

/** What the responses of Node's HTTP/1 and HTTP/2 servers have in common here; Fastify keeps it in `raw`. */
interface Response {
  readonly destroyed?: boolean;
  readonly writableEnded?: boolean;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

/**
 * Calls `leave` when the connection of an HTTP request closes before it is answered, at once if it has closed already.
 * Goes by the response: the request's own `close` also comes when its body was read. Returns what ends the watch.
 */
export function whenClientIsGone(context: ExecutionContext, leave: () => void): () => void {
  const response = context.getType() === 'http' ? responseOf(context) : undefined;
  if (response === undefined) return () => undefined;
  const closed = (): void => {
    if (!response.writableEnded) leave();
  };
  if (response.destroyed) closed();
  response.once('close', closed);
  return () => response.off('close', closed);
}

function responseOf(context: ExecutionContext): Response | undefined {
  const given = context
    .switchToHttp()
    .getResponse<(Partial<Response> & { raw?: Partial<Response> }) | undefined>();
  const response = given?.raw ?? given;
  return typeof response?.once === 'function' && typeof response.off === 'function'
    ? (response as Response)
    : undefined;
}
