import { once } from 'node:events';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { gather } from '../../src/adapters/rabbitmq/gather.ts';

/** Both ends of a connection; what is written to the first is gathered. */
async function pair(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = new Socket();
  const arriving = once(server, 'connection');
  near.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[far]] = (await Promise.all([arriving, once(near, 'connect')])) as unknown as [[Socket], unknown];
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  gather(near);
  return { near, far };
}

async function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

it('what is written in one turn leaves together, in its order, before the end of the same turn', async () => {
  const { near, far } = await pair();
  const [alone, together] = [vi.spyOn(near, '_write'), vi.spyOn(near as Required<Socket>, '_writev')];
  const texts = Array.from({ length: 1_000 }, (_, n) => `${n},`);
  for (const text of texts) near.write(text);
  near.end();
  expect((await allOf(far)).toString()).toBe(texts.join(''));
  expect(alone.mock.calls.length + together.mock.calls.length).toBeLessThanOrEqual(2);
});

it('a reader that is slow holds up the writer as without it, until `drain`', async () => {
  const { near, far } = await pair();
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let written = 0;
  let drains = 0;
  const writing = (async () => {
    while (written < 400) {
      written++;
      if (near.write(chunk)) continue;
      await once(near, 'drain');
      drains++;
    }
    near.end();
  })();
  // Nobody reads: the writer stands still
  await expect.poll(() => near.writableNeedDrain).toBe(true);
  expect(written).toBeLessThan(400);
  const received = await allOf(far);
  await writing;
  expect(received.byteLength).toBe(400 * chunk.byteLength);
  expect(drains).toBeGreaterThan(0);
});

it('tells each write whether it has left', async () => {
  const { near, far } = await pair();
  const left = (text: string) => new Promise(resolve => near.write(text, resolve));
  expect(await Promise.all([left('a'), left('b')])).toEqual([undefined, undefined].map(each => each ?? null));
  far.resetAndDestroy();
  await once(near, 'error');
  expect(await Promise.all([left('c'), left('d')])).toEqual([expect.any(Error), expect.any(Error)]);
});

it('a connection that ends between a write and its turn throws nothing and sends nothing after it', async () => {
  const { near } = await pair();
  const errors: unknown[] = [];
  near.on('error', error => errors.push(error));
  const answers = [1, 2].map(n => new Promise(resolve => near.write(`${n}`, resolve)));
  near.destroy(new Error('cut'));
  const late = new Promise(resolve => near.write('late', resolve));
  for (const answer of await Promise.all([...answers, late])) expect(answer).toBeInstanceOf(Error);
  expect(errors).toHaveLength(1);
});
