import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

// Below the range from which systems take the ports of outgoing connections (Linux: from 32768), so that a port
// stays free while its server is down between `kill` and `restart`.
const lowest = 15_000;
const highest = 32_000;

/**
 * Ports of 127.0.0.1 on which nothing listens. No other process of this kind is given one of them as long as this
 * one lives.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let attempts = 0; ports.length < count; attempts++) {
    if (attempts > 100 * count) throw new Error(`no free port between ${lowest} and ${highest}`);
    const port = randomInt(lowest, highest);
    if ((await reserve(port)) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

/**
 * Binds the UDP port of the same number, which no server here uses. Between the probe and the server's own `listen`,
 * another process would find the TCP port free as well; and the system gives the UDP port back when this one dies.
 */
function reserve(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createSocket('udp4').unref();
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
