import { createServer, type Socket } from 'node:net';
import { type Listening, listening } from './listening.ts';

/** An endpoint that answers each request with these bytes, and records the requests as they came. */
export interface Scripted extends Listening {
  readonly id: string;
  /** The heads of the requests, and what of their bodies came with them. */
  readonly requests: string[];
}

/** @param answer writes to the socket; a text is latin1 */
export async function scripted(
  answer: string | ((socket: Socket, request: string) => void),
  id = 'a',
): Promise<Scripted> {
  const requests: string[] = [];
  const server = createServer(socket => {
    let text = '';
    socket.setEncoding('latin1').on('data', chunk => {
      text += chunk;
      if (!text.includes('\r\n\r\n')) return;
      const request = text;
      text = '';
      requests.push(request);
      if (typeof answer === 'string') socket.write(answer, 'latin1');
      else answer(socket, request);
    });
  });
  return { id, requests, ...(await listening(server)) };
}
