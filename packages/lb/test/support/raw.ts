import { once } from 'node:events';
import { connect } from 'node:net';

/** Sends these bytes, as latin1, and returns everything that comes back until the connection ends. */
export async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let all = '';
  socket.on('data', chunk => {
    all += chunk;
  });
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return all;
}

/** One request on a connection that ends with its response. */
export function ask(port: number, head: string, body = ''): Promise<string> {
  return raw(port, `${head}\r\nConnection: close\r\n\r\n${body}`);
}
