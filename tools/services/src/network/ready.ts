import { connect } from 'node:net';

const attemptMs = 1_000;

/** Resolves when something accepts a connection on that port of loopback. */
export async function accepts(port: number): Promise<void> {
  await exchange(port, '', () => true);
}

/**
 * Connects, sends `request` and resolves as soon as `enough` accepts the reply so far, with the reply. An empty
 * reply is also asked, once the connection stands. Rejects after a second.
 */
export function exchange(port: number, request: string, enough: (reply: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let reply = '';
    const settle = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve(reply);
      else reject(error);
    };
    const timer = setTimeout(
      () => settle(new Error(`port ${port} said only ${JSON.stringify(reply)}`)),
      attemptMs,
    );
    socket.setEncoding('utf8');
    socket.on('error', settle);
    socket.on('close', () =>
      settle(new Error(`port ${port} closed the connection after ${JSON.stringify(reply)}`)),
    );
    socket.on('connect', () => {
      socket.write(request);
      if (enough(reply)) settle();
    });
    socket.on('data', chunk => {
      reply += chunk;
      if (enough(reply)) settle();
    });
  });
}
