import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { eventually, startTcpProxy, type TcpProxy } from '../src/index.ts';
import { closing, soon } from './support.ts';

/** A server that repeats what it hears, behind a proxy. */
async function echoBehindProxy(): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return closing(await startTcpProxy({ target: (server.address() as AddressInfo).port }));
}

async function connected(proxy: TcpProxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function closedByReset(socket: Socket): Promise<void> {
  const [error] = await once(socket, 'error');
  expect(error).toHaveProperty('code', 'ECONNRESET');
}

/** Sends, and resolves with as many bytes as were sent. */
async function echo(socket: Socket, message: string): Promise<string> {
  let reply = '';
  socket.write(message);
  while (reply.length < message.length) reply += String((await once(socket, 'data'))[0]);
  return reply;
}

it('passes on what both sides say, to its end', async () => {
  const proxy = await echoBehindProxy();
  const socket = await connected(proxy);
  const long = 'x'.repeat(5_000_000);
  socket.end(long);
  expect(await text(socket)).toBe(long);
  await eventually(async () => expect(proxy.connections).toBe(0), soon);
});

it('holds back everything in a stall, and loses nothing of it', async () => {
  const proxy = await echoBehindProxy();
  const socket = await connected(proxy);
  await echo(socket, 'a');
  proxy.stall();
  const late = echo(socket, 'bc');
  const other = await connected(proxy);
  const later = echo(other, 'd');
  expect(socket.bytesRead).toBe(1);
  proxy.resume();
  expect([await late, await later]).toEqual(['bc', 'd']);
});

it('lets servers hear what is said in a hush, whose answers a cut loses', async () => {
  const server = createServer(peer => peer.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const proxy = await closing(await startTcpProxy({ target: (server.address() as AddressInfo).port }));
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const socket = await connected(proxy);
  const [peer] = await accepted;
  proxy.hush();
  socket.write('first');
  expect(String((await once(peer, 'data'))[0])).toBe('first');
  peer.write('held back');
  socket.write('second');
  expect(String((await once(peer, 'data'))[0])).toBe('second');
  const closed = closedByReset(socket);
  proxy.cut();
  await closed;
  expect(socket.bytesRead).toBe(0);
  proxy.resume();
  const next = once(server, 'connection') as Promise<[Socket]>;
  const other = await connected(proxy);
  (await next)[0].end('answer');
  expect(await text(other)).toBe('answer');
});

it('tells neither side in a stall that the other has gone, and does so afterwards', async () => {
  const proxy = await echoBehindProxy();
  const socket = await connected(proxy);
  await echo(socket, 'a');
  proxy.stall();
  socket.resetAndDestroy();
  await once(socket, 'close');
  expect(proxy.connections).toBe(1);
  proxy.resume();
  await eventually(async () => expect(proxy.connections).toBe(0), soon);
});

it('delays what passes, each way', async () => {
  const proxy = await echoBehindProxy();
  const socket = await connected(proxy);
  proxy.delay(50);
  const start = performance.now();
  expect(await echo(socket, 'ab')).toBe('ab');
  // Timers of Node may end a millisecond early
  expect(performance.now() - start).toBeGreaterThan(95);
});

it('resets connections, refuses new ones, and takes them again on the same port', async () => {
  const proxy = await echoBehindProxy();
  const socket = await connected(proxy);
  await echo(socket, 'a');
  const closed = closedByReset(socket);
  await proxy.refuse();
  await closed;
  await expect(connected(proxy)).rejects.toThrow('ECONNREFUSED');
  await proxy.accept();
  expect(await echo(await connected(proxy), 'b')).toBe('b');
});

it('refuses, as a server does, when there is nothing behind it', async () => {
  const proxy = closing(await startTcpProxy({ target: 1 }));
  const socket = await connected(proxy);
  await closedByReset(socket);
});

it('leads new clients elsewhere', async () => {
  const [proxy, other] = [await echoBehindProxy(), await echoBehindProxy()];
  const before = await connected(proxy);
  await echo(before, 'a');
  proxy.redirect(other.port);
  const after = await connected(proxy);
  expect(await echo(after, 'b')).toBe('b');
  expect(other.connections).toBe(1);
  expect(await echo(before, 'c')).toBe('c');
});
