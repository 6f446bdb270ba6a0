import type { IncomingMessage, ServerResponse } from 'node:http';

const LOCAL = new Set(['127.0.0.1', 'localhost']);

/**
 * Refuses with 403 what a page of somebody else makes a browser send: a request whose Host is a name that was led to
 * this machine, and one whose Origin is not this server. Programs send no Origin.
 */
export function localRequests(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  const { host = '', origin } = request.headers;
  const port = request.socket.localPort;
  const [name = '', asked] = host.split(':');
  const own = LOCAL.has(name) && Number(asked ?? 80) === port;
  if (own && (origin === undefined || origin === `http://${host}`)) return next();
  response.writeHead(403, { 'content-type': 'text/plain' });
  response.end('This server answers requests of this machine only.\n');
}
