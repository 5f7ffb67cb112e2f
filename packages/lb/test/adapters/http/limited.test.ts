import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reverseProxy } from '../../../src/adapters/proxy.ts';
import { balancedDispatcher } from '../../../src/adapters/undici.ts';
import { LoadBalancer } from '../../../src/index.ts';

/** A balancer over three endpoints that all limit this client. */
async function limited() {
  const endpoint = createServer((_request, response) => {
    response.writeHead(429, { 'retry-after': '86400' }).end();
  });
  endpoint.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n');
  });
  const url = await listening(endpoint);
  const lb = new LoadBalancer({ endpoints: ['a', 'b', 'c'].map(id => ({ id, url })), retry: false });
  onTestFinished(() => lb.close());
  return lb;
}

async function listening(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const times = 30; // more than the five failures in a row of one endpoint that eject it

describe('a 429 of an endpoint ejects nobody', () => {
  it('through the proxy', async () => {
    const lb = await limited();
    const proxy = reverseProxy(lb);
    const url = await listening(createServer(proxy));
    onTestFinished(() => proxy.close());
    for (let i = 0; i < times; i++) {
      const response = await fetch(url);
      expect([response.status, response.headers.get('retry-after')]).toEqual([429, '86400']);
    }
    expect(lb.snapshot().endpoints.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
  });

  it('through an upgrade of the proxy that it refuses', async () => {
    const lb = await limited();
    const proxy = reverseProxy(lb);
    const server = createServer(proxy);
    server.on('upgrade', proxy.upgrade);
    const { port } = new URL(await listening(server));
    onTestFinished(() => proxy.close());
    for (let i = 0; i < times; i++) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      let text = '';
      for await (const part of socket) text += part;
      expect(text).toMatch(/^HTTP\/1\.1 429 /);
    }
    expect(lb.snapshot().endpoints.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
  });

  it('through the dispatcher', async () => {
    const lb = await limited();
    const dispatcher = balancedDispatcher(lb);
    onTestFinished(() => dispatcher.close());
    for (let i = 0; i < times; i++) {
      const { statusCode, body } = await request('http://shop/', { dispatcher });
      await body.dump();
      expect(statusCode).toBe(429);
    }
    expect(lb.snapshot().endpoints.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
  });
});
