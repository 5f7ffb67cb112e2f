import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/**
 * How far the bytes of a socket have come, as a text that changes when the peer has taken some. A kernel takes megabytes at
 * once, and more only when a third of them is gone, which takes a slow reader minutes. Linux says how many bytes wait there;
 * on other systems only what the kernel takes shows.
 */
export async function sent(socket: Socket, maxAgeMs: number): Promise<string> {
  const { bytesWritten, writableLength, localPort, remotePort, remoteAddress } = socket;
  const isIpv6 = remoteAddress?.includes(':') === true;
  const table = localPort === undefined ? undefined : await (isIpv6 ? tcp6 : tcp).read(maxAgeMs);
  return `${bytesWritten} ${writableLength} ${table?.get(`${hex(localPort!)} ${hex(remotePort!)}`)}`;
}

/** `local address:port`, `remote address:port`, state, and the bytes that wait to be sent. */
const entry = /^ *\d+: [\dA-F]+:([\dA-F]{4}) [\dA-F]+:([\dA-F]{4}) [\dA-F]{2} ([\dA-F]+):/gm;

/** The kernel's table of connections. A reading serves all who ask for one that is no older. */
class Table {
  readonly #file: string;
  #reading: Promise<ReadonlyMap<string, string>> | undefined;
  #readAt = 0;

  constructor(file: string) {
    this.#file = file;
  }

  read(maxAgeMs: number): Promise<ReadonlyMap<string, string>> {
    const now = performance.now();
    if (this.#reading === undefined || now - this.#readAt > maxAgeMs) {
      this.#readAt = now;
      this.#reading = readFile(this.#file, 'latin1').then(parse, () => new Map());
    }
    return this.#reading;
  }
}

const tcp = new Table('/proc/self/net/tcp');
const tcp6 = new Table('/proc/self/net/tcp6');

/** By ports. Of connections from equal ports of two machines, both must stand still. */
function parse(text: string): ReadonlyMap<string, string> {
  const queues = new Map<string, string>();
  for (const [, local, remote, queue] of text.matchAll(entry)) {
    const ports = `${local} ${remote}`;
    queues.set(ports, `${queues.get(ports) ?? ''} ${queue}`);
  }
  return queues;
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
