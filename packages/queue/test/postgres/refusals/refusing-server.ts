import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface RefusingServer extends AsyncDisposable {
  readonly port: number;
}

/** What answers each session as a PostgreSQL does that takes none for the time being. */
export async function startRefusing(state: string, text: string): Promise<RefusingServer> {
  const fields = `SFATAL\0VFATAL\0C${state}\0M${text}\0\0`;
  const refusal = Buffer.alloc(5 + fields.length);
  refusal.write('E');
  refusal.writeInt32BE(4 + fields.length, 1);
  refusal.write(fields, 5, 'latin1');
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.once('data', () => socket.end(refusal));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
