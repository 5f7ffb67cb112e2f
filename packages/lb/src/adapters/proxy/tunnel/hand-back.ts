import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { hasBody, isTruncated } from '../request-target.ts';

/** In these other requests would follow, past the proxy. */
const carriesHttp = /^(h2c?(-.*)?|(http|tls)\/.*)$/i;

/**
 * The protocols of `Upgrade` that endpoints are asked for; `undefined` when there are none: then the request goes the
 * ordinary way, as one with a body does, or of HTTP/1.0 (RFC 9110, 7.8).
 */
export function protocolsOf(request: IncomingMessage): string | undefined {
  if (request.httpVersion === '1.0' || hasBody(request)) return undefined;
  const asked = (request.headers.upgrade ?? '').split(',').map(protocol => protocol.trim());
  const honored = asked.filter(protocol => protocol !== '' && !carriesHttp.test(protocol));
  return honored.length === 0 ? undefined : honored.join(', ');
}

/** What Node keeps on the socket of a server, beside what its types say. */
interface ServerSocket extends Duplex {
  readonly server?: Server;
  /** The response that is being sent. */
  readonly _httpMessage?: ServerResponse | null;
  readonly encrypted?: boolean;
  setTimeout?(timeoutMs: number): void;
}

/** Resolves when the responses to earlier requests of a pipelining client are sent, or the connection is closed. */
export async function answered(socket: ServerSocket): Promise<void> {
  for (let sent = socket._httpMessage; sent && !socket.destroyed; sent = socket._httpMessage) {
    socket.on('error', () => {});
    await new Promise(resolve => (sent as ServerResponse).once('close', resolve));
  }
}

/**
 * Gives the connection back to the parser of its server, as a new one whose first request is this one without `Upgrade`.
 * Returns false when the server is not known, or not the whole head.
 */
export function handBack(request: IncomingMessage, socket: ServerSocket, head: Buffer): boolean {
  const { server } = socket;
  if (server === undefined || isTruncated(request)) return false;
  socket.unshift(Buffer.concat([Buffer.from(headWithoutUpgrade(request), 'latin1'), head]));
  // Node may have set one for an idle connection
  socket.setTimeout?.(0);
  server.emit(socket.encrypted === true ? 'secureConnection' : 'connection', socket);
  return true;
}

function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.toLowerCase() !== 'upgrade') head += `${name}: ${rawHeaders[at + 1]}\r\n`;
  }
  return `${head}\r\n`;
}
