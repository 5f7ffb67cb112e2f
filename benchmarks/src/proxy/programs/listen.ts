import type { AddressInfo, Server } from 'node:net';

export const backendUrls: readonly string[] = process.argv.slice(2);

/** On a free port of loopback, which the parent is told; until it goes away. */
export function listen(server: Server): void {
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit());
}
