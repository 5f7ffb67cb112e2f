import { connect } from 'node:net';

const batchSize = 200;
const silentMs = 20_000;

/**
 * Sends requests over one connection to a port of loopback, many at a time, and gives what the pattern's group catches
 * of each reply, in order. The pattern must match once a reply. Rejects when the server says nothing more.
 */
export function pipelined(port: number, requests: readonly Buffer[], pattern: RegExp): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const caught: string[] = [];
    const socket = connect({ port, host: '127.0.0.1' });
    let rest = '';
    let sent = 0;
    const fail = (why: string, cause?: unknown) => {
      socket.destroy();
      const request = requests[caught.length]?.toString() ?? '';
      reject(
        new Error(`${why} after ${caught.length} replies, at ${JSON.stringify(request)}: ${rest}`, { cause }),
      );
    };
    const send = () => {
      if (caught.length < sent) return;
      if (sent === requests.length) {
        socket.destroy();
        return resolve(caught);
      }
      const batch = requests.slice(sent, sent + batchSize);
      sent += batch.length;
      socket.write(Buffer.concat(batch));
    };
    socket.setEncoding('latin1');
    socket.setTimeout(silentMs, () => fail('silence'));
    socket.on('error', error => fail('an error', error));
    socket.on('end', () => fail('the end'));
    socket.on('connect', send);
    socket.on('data', (chunk: string) => {
      rest += chunk;
      const global = new RegExp(pattern, 'g');
      let end = 0;
      for (let match = global.exec(rest); match !== null; match = global.exec(rest)) {
        caught.push(match[1]!);
        end = global.lastIndex;
      }
      rest = rest.slice(end);
      send();
    });
  });
}

/** The owner of each key in the answer of a server that hashes the header `x-key`, from its header `header`. */
export function askOverHttp(
  port: number,
  path: string,
  keys: readonly string[],
  header: string,
): Promise<string[]> {
  const requests = keys.map(key => Buffer.from(`GET ${path} HTTP/1.1\r\nhost: a\r\nx-key: ${key}\r\n\r\n`));
  return pipelined(port, requests, new RegExp(`\\r\\n${header}: ([^\\r]*)\\r\\n`, 'i'));
}
