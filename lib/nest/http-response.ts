import type { ExecutionContext } from '@nestjs/common';

interface Closing {
  readonly destroyed?: boolean;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

/** What the responses of Node's HTTP/1 and HTTP/2 servers have in common; Fastify keeps that response in `raw`. */
export interface HttpResponse {
  readonly headersSent?: boolean;
  readonly destroyed?: boolean;
  readonly writableEnded?: boolean;
  readonly writableFinished?: boolean;
  /** Null while the answers to earlier requests of a pipelined connection are due. */
  readonly socket?: Closing | null;
  readonly req?: { readonly socket?: Closing | null };
  /** HTTP/2 only. */
  readonly stream?: { readonly destroyed?: boolean };
  once(event: 'close' | 'finish', listener: () => void): unknown;
  off(event: 'close' | 'finish', listener: () => void): unknown;
  destroy?(): unknown;
}

/** The response of an HTTP request; undefined for every other transport. */
export function responseOf(context: ExecutionContext): HttpResponse | undefined {
  if (context.getType() !== 'http') return undefined;
  const given = context
    .switchToHttp()
    .getResponse<(Partial<HttpResponse> & { raw?: Partial<HttpResponse> }) | undefined>();
  const response = given?.raw ?? given;
  return typeof response?.once === 'function' && typeof response.off === 'function'
    ? (response as HttpResponse)
    : undefined;
}

/**
 * Calls `leave` when the connection of a request closes before it is answered, at once if it has closed already.
 * It watches the response, since the request's own `close` also comes when its body was read. Returns what ends the watch.
 */
export function whenClientIsGone(response: HttpResponse, leave: () => void): () => void {
  return whenClosed(response, () => {
    if (!response.writableEnded) leave();
  });
}

/**
 * Calls `over` when the response was sent, or its connection closed; at once if that has happened already. Returns what
 * ends the watch.
 */
export function whenOver(response: HttpResponse, over: () => void): () => void {
  if (response.writableFinished) {
    over();
    return () => undefined;
  }
  response.once('finish', over);
  const stop = whenClosed(response, over);
  return () => {
    response.off('finish', over);
    stop();
  };
}

function whenClosed(response: HttpResponse, closed: () => void): () => void {
  const { socket, req, stream } = response;
  // A response that waits for its turn is not told when the connection closes.
  const waiting = socket === null ? req?.socket : undefined;
  if (response.destroyed || waiting?.destroyed || stream?.destroyed) {
    closed();
    return () => undefined;
  }
  response.once('close', closed);
  waiting?.once('close', closed);
  return () => {
    response.off('close', closed);
    waiting?.off('close', closed);
  };
}
