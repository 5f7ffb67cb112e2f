import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** ReadyForQuery of PostgreSQL, while no transaction is open. */
const ready = Buffer.from('Z\0\0\0\x05I', 'latin1');

/** What a session says that an administrator ends. */
const ended = Buffer.from('E\0\0\0\x22SFATAL\0VFATAL\0C57P01\0Mterminated\0\0', 'latin1');
ended.writeInt32BE(ended.length - 1, 1);

export interface SuddenEnd extends AsyncDisposable {
  readonly port: number;
}

/** A way to PostgreSQL on which each session is ended in the same packet that says that it is ready. */
export async function startSuddenEnd(target: number): Promise<SuddenEnd> {
  const way = createServer(client => {
    const upstream = connect(target, '127.0.0.1');
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
    client.pipe(upstream);
    upstream.on('data', chunk => {
      const isReady = chunk.subarray(-ready.length).equals(ready);
      client.write(isReady ? Buffer.concat([chunk, ended]) : chunk);
      if (isReady) client.end();
    });
  });
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  return {
    port: (way.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      way.close();
    },
  };
}
