import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { StoreUnavailableError } from '../src/errors.ts';
import { bytes } from './bytes.ts';
import { Tables } from './postgres-tables.ts';
import { ending } from './support.ts';

/** ReadyForQuery, while no transaction is open. */
const ready = Buffer.from('Z\0\0\0\x05I', 'latin1');

/** What a session says that an administrator ends. */
const ended = Buffer.from('E\0\0\0\x22SFATAL\0VFATAL\0C57P01\0Mterminated\0\0', 'latin1');
ended.writeInt32BE(ended.length - 1, 1);

describeWith({ own: 'postgres' }, 'sessions of PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  /** A way to the server on which each session is ended in the same packet that says that it is ready. */
  async function endingAtOnce(): Promise<number> {
    const way = createServer(client => {
      const upstream = connect(server.port, '127.0.0.1');
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
    onTestFinished(() => void way.close());
    return (way.address() as AddressInfo).port;
  }

  it('that end as they begin fail the call, and never the process', async () => {
    const tables = ending(new Tables(server.url));
    await tables.store().migrate();
    const uncaught: unknown[] = [];
    const note = (error: unknown) => void uncaught.push(error);
    process.on('uncaughtException', note);
    onTestFinished(() => void process.off('uncaughtException', note));
    const port = await endingAtOnce();
    const connectionString = server.url.replace(`:${server.port}/`, `:${port}/`);
    const store = tables.store({ timeoutMs: 2_000 }, { connectionString, max: 2 });
    const watching = store.watch('', { signal: new AbortController().signal })[Symbol.asyncIterator]().next();
    watching.catch(() => {});
    for (let i = 0; i < 3; i++) {
      await expect(store.set('key', bytes('1'))).rejects.toMatchObject({
        code: expect.stringContaining(StoreUnavailableError.code),
      });
    }
    await store.close();
    await expect(watching).rejects.toThrow('is closed');
    expect(uncaught).toEqual([]);
  });
});
