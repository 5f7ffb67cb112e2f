import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { front } from '../../../support/front.ts';
import { listening } from '../../../support/servers/listening.ts';
import { Replica } from '../../../support/servers/replica.ts';
import { type Scripted, scripted } from '../../../support/servers/scripted.ts';
import { until } from '../../../support/until.ts';

/** An endpoint that answers when it is told to. */
async function waiting(): Promise<Scripted & { answer(): void }> {
  const sockets: Socket[] = [];
  const endpoint = await scripted(socket => void sockets.push(socket));
  const answer = () => {
    for (const socket of sockets.splice(0)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone');
  };
  return { ...endpoint, answer };
}

/** Over a kept connection. */
async function ask(url: string, agent: Agent): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent }), 'response')) as [IncomingMessage];
  response.setEncoding('latin1');
  return response;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response) text += part;
  return text;
}

function keeping(): Agent {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return agent;
}

describe('shutdown', () => {
  it('serves what is in flight, refuses new connections, and ends the kept ones', async () => {
    const endpoint = await waiting();
    const { url, proxy, server, lb, connections } = await front([endpoint]);
    const agent = keeping();
    const first = ask(url, agent);
    await until(() => expect(endpoint.requests).toHaveLength(1));
    endpoint.answer();
    expect(await textOf(await first)).toBe('done'); // its connection is kept
    const idle = connect(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void idle.destroy());
    idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => expect(endpoint.requests).toHaveLength(2));
    endpoint.answer();
    await once(idle, 'data');

    const second = ask(url, agent);
    await until(() => expect(endpoint.requests).toHaveLength(3));
    const over = proxy.shutdown(server);
    await once(idle, 'end'); // without a request it is closed at once
    await expect(fetch(url)).rejects.toThrow();
    endpoint.answer();
    const response = await second;
    expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
    expect(await textOf(response)).toBe('done');
    await over;
    await until(() => expect([connections(), endpoint.connections()]).toEqual([0, 0]));
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 3, canceled: 0 }] });
  });

  it('waits for a tunnel, and for a response whose head was sent, then cuts them off', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const { port, url, proxy, server, lb, connections } = await front([a]);
    const tunnel = connect(port, '127.0.0.1').on('error', () => {});
    onTestFinished(() => void tunnel.destroy());
    tunnel.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    await once(tunnel, 'data');
    const events = await fetch(`${url}/events`);
    const reader = events.body!.getReader();
    await reader.read();
    let isOver = false;
    const stop = new AbortController();
    const over = proxy.shutdown(server, { timeoutMs: 60_000, signal: stop.signal }).then(() => {
      isOver = true;
    });
    tunnel.write('still');
    // What the upstream has sent of itself may come before it
    let heard = '';
    while (!heard.includes('still')) heard += String((await once(tunnel, 'data'))[0]);
    expect(isOver).toBe(false);
    const cut = expect(reader.read()).rejects.toThrow();
    stop.abort();
    await over;
    await cut;
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ canceled: 2, failed: 0 }] });
    await until(() => expect(connections()).toBe(0));
  });

  it('answers 503 to what is not answered in time', async () => {
    const endpoint = await waiting();
    const { url, proxy, server } = await front([endpoint]);
    const response = fetch(url);
    await until(() => expect(endpoint.requests).toHaveLength(1));
    await proxy.shutdown(server, { timeoutMs: 1 });
    expect((await response).status).toBe(503);
  });

  it('waits for a connection on which nothing was sent yet, as long as it may', async () => {
    const endpoint = await waiting();
    const { port, proxy, server, connections } = await front([endpoint]);
    const silent = connect(port, '127.0.0.1').on('error', () => {});
    onTestFinished(() => void silent.destroy());
    await until(() => expect(connections()).toBe(1));
    const stop = new AbortController();
    const over = proxy.shutdown(server, { timeoutMs: 60_000, signal: stop.signal });
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
    expect(connections()).toBe(1);
    stop.abort();
    await Promise.all([over, once(silent, 'close')]);
  });

  it('ends a server of Express with what else it serves', async () => {
    const endpoint = await waiting();
    const { proxy } = await front([endpoint]);
    const app = express();
    let finish: () => void = () => {};
    app.get('/own', (_, response) => {
      finish = () => void response.send('own');
    });
    app.use(proxy);
    const server = createServer(app);
    const { url, connections } = await listening(server);
    const agent = keeping();
    const [own, theirs] = [ask(`${url}/own`, agent), ask(url, agent)];
    await until(() => expect(endpoint.requests).toHaveLength(1));
    const over = proxy.shutdown(server);
    endpoint.answer();
    expect(await textOf(await theirs)).toBe('done');
    finish();
    expect(await textOf(await own)).toBe('own');
    await over;
    await until(() => expect(connections()).toBe(0));
  });

  it('ends a server of Fastify, which closes afterwards', async () => {
    const endpoint = await waiting();
    const { proxy } = await front([endpoint]);
    const app = fastify();
    app.all('/*', (request, reply) => {
      reply.hijack();
      return proxy(request.raw, reply.raw);
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const response = ask(url, keeping());
    await until(() => expect(endpoint.requests).toHaveLength(1));
    const over = proxy.shutdown(app.server);
    endpoint.answer();
    expect(await textOf(await response)).toBe('done');
    await over;
    await app.close();
  });

  it('ends a server before several proxies, one that never listened, and one that has ended', async () => {
    const { proxy, server } = await front([]);
    const { proxy: other } = await front([]);
    await Promise.all([proxy.shutdown(server), other.shutdown(server)]);
    await proxy.shutdown(server);
    await other.shutdown(createServer());
  });

  it('refuses what is no server', async () => {
    const { proxy } = await front([]);
    const wrong = express() as unknown as Parameters<typeof proxy.shutdown>[0];
    await expect(proxy.shutdown(wrong)).rejects.toThrow(/`server` must .*app\.server/);
    await expect(proxy.shutdown(createServer(), { timeoutMs: 0 })).rejects.toThrow('`timeoutMs`');
  });
});
