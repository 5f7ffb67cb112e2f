import { connect } from 'node:net';

/** What came back on a connection until it ended. */
export interface Received {
  readonly text: string;
  /** Whether the other side ended it by a reset. */
  readonly reset: boolean;
}

/** Sends these bytes, as latin1, and returns all that comes back and how the connection ended. */
export async function exchanged(port: number, bytes: string): Promise<Received> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let text = '';
  let reset = false;
  socket
    .on('error', error => {
      reset = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    })
    // Libuv takes a reset that comes with the last bytes for an end, but then there is no peer any more
    .on('end', () => {
      reset = socket.remoteAddress === undefined;
    })
    .on('data', chunk => {
      text += chunk;
    });
  socket.write(bytes, 'latin1');
  await new Promise(resolve => socket.once('close', resolve));
  return { text, reset };
}

/** Sends these bytes, as latin1, and returns everything that comes back until the connection ends; rejects for a reset. */
export async function raw(port: number, bytes: string): Promise<string> {
  const { text, reset } = await exchanged(port, bytes);
  if (reset) throw new Error(`the connection was reset after ${JSON.stringify(text)}`);
  return text;
}

/** One request on a connection that ends with its response. */
export function ask(port: number, head: string, body = ''): Promise<string> {
  return raw(port, `${head}\r\nConnection: close\r\n\r\n${body}`);
}
