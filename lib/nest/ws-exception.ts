import type { ArgumentsHost } from '@nestjs/common';
import type { LockErrorBody } from './http-exception.js';

/** A client of socket.io, or one of ws, whose own `emit` only calls listeners in this process. */
interface WsClient {
  readonly readyState?: unknown;
  emit?(event: string, payload: unknown): unknown;
  send?(text: string): unknown;
}

const OPEN = 1;

/** Answers as Nest answers a WsException, and calls the acknowledgement, which Nest leaves open. */
export function answerMessage(body: LockErrorBody, host: ArgumentsHost): void {
  const ws = host.switchToWs();
  const client = ws.getClient<WsClient>();
  const answer = { status: 'error', ...body };
  const acknowledge = host.getArgByIndex<((answer: unknown) => void) | undefined>(2);
  if (typeof acknowledge === 'function') acknowledge(answer);
  const payload = { ...answer, cause: { pattern: ws.getPattern(), data: ws.getData<unknown>() } };
  if (typeof client.readyState !== 'number') client.emit?.('exception', payload);
  else if (client.readyState === OPEN) client.send?.(JSON.stringify({ event: 'exception', data: payload }));
}
