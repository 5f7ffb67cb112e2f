import { createServer, type IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import { memoryStore } from '@ashlar/store';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { register } from '../../../src/adapters/registry.ts';
import { httpCheck } from '../../../src/index.ts';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { heard } from '../../support/heard.ts';
import { ask, raw } from '../../support/raw.ts';
import { listening } from '../../support/servers/listening.ts';

type Way = (endpoint: { id: string; url: string }, path: string, authorization?: string) => Promise<unknown>;

const upgrade = 'Connection: Upgrade\r\nUpgrade: echo';
const line = (authorization?: string) => (authorization ? `\r\nAuthorization: ${authorization}` : '');

/** Whatever asks an endpoint. */
const ways: Record<string, Way> = {
  httpCheck: async (endpoint, path, authorization) => {
    const headers: Record<string, string> = authorization ? { Authorization: authorization } : {};
    await httpCheck({ path, headers })({ endpoint, signal: AbortSignal.timeout(10_000) });
  },
  'httpCheck by fetch': async (endpoint, path, authorization) => {
    const headers: Record<string, string> = authorization ? { Authorization: authorization } : {};
    await httpCheck({ path, headers, fetch })({ endpoint, signal: AbortSignal.timeout(10_000) });
  },
  'the proxy': async (endpoint, path, authorization) => {
    const { port } = await front([endpoint]);
    await ask(port, `GET ${path} HTTP/1.1\r\nHost: a${line(authorization)}`);
  },
  'a tunnel': async (endpoint, path, authorization) => {
    const { port } = await front([endpoint]);
    await raw(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}${line(authorization)}\r\n\r\n`);
  },
  'the dispatcher': async (endpoint, path, authorization) => {
    const { dispatcher } = dispatching([endpoint]);
    const headers: Record<string, string> = authorization ? { Authorization: authorization } : {};
    await (await request(`http://shop${path}`, { dispatcher, headers })).body.dump();
  },
};

/** An endpoint, and what it was asked for. */
async function asked(): Promise<{ host: string; last(): string | undefined }> {
  const seen: IncomingMessage[] = [];
  const server = createServer((message, response) => {
    seen.push(message);
    response.end('ok');
  });
  server.on('upgrade', (message, socket) => {
    seen.push(message);
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const { port } = await listening(server);
  const last = () => {
    const { url, headers } = seen.at(-1)!;
    return `${url} ${headers.authorization}`;
  };
  return { host: `127.0.0.1:${port}`, last };
}

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

describe.each(Object.entries(ways))("an endpoint's url, by %s", (_, way) => {
  it('gives its path, its query and its credentials to each request', async () => {
    const { host, last } = await asked();
    const endpoint = { id: 'a', url: `http://us%C3%A9r:p%40ss%25@${host}/base/?tenant=1&x#part` };
    await way(endpoint, '/page');
    expect(last()).toBe(`/base/page?tenant=1&x ${basic('usér:p@ss%')}`);
    await way(endpoint, '/page?y=2');
    expect(last()).toBe(`/base/page?tenant=1&x&y=2 ${basic('usér:p@ss%')}`);
    await way(endpoint, '/page?', 'Bearer own');
    expect(last()).toBe('/base/page?tenant=1&x Bearer own');
  });

  it('changes nothing of a request where it has none of them', async () => {
    const { host, last } = await asked();
    await way({ id: 'a', url: `http://${host}` }, '/page?y');
    expect(last()).toBe('/page?y undefined');
    await way({ id: 'a', url: `http://user@${host}/?` }, '/', 'Bearer own');
    expect(last()).toBe('/ Bearer own');
  });
});

describe('the credentials of an endpoint', () => {
  it('are in no snapshot, message and error of a balancer', async () => {
    const { url } = await listening(createServer(message => message.socket.destroy()));
    const endpoint = { id: 'a', url: url.replace('//', '//user:secret@') };
    const channels = ['pick', 'outcome', 'retry', 'proxy-error', 'eject'].map(heard);
    const { lb, port } = await front([endpoint], {}, { outlier: { consecutiveFailures: 1 } });
    const answer = await ask(port, 'GET / HTTP/1.1\r\nHost: a');
    expect(answer).toContain('502 Bad Gateway');
    const messages = channels.flatMap(({ stop }) => stop());
    expect(messages.length).toBeGreaterThan(2);
    for (const text of [answer, JSON.stringify(lb.snapshot()), inspect(messages, { depth: 9 })]) {
      expect(text).not.toContain('secret');
    }
  });

  it('are in the store as they are, when it is registered', async () => {
    await using store = memoryStore();
    const url = 'http://user:secret@10.0.0.1/base?x#part';
    await using _registration = await register(store, { id: 'a', url });
    for await (const { value } of store.list('')) expect(new TextDecoder().decode(value)).toContain(url);
  });
});

describe('the answer of the proxy where no endpoint can', () => {
  it('names no endpoint', async () => {
    const { port } = await front([{ id: 'replica-7', url: 'http://127.0.0.1:9' }]);
    const answer = await ask(port, 'GET / HTTP/1.1\r\nHost: a');
    expect(answer).toContain('Content-Type: application/problem+json'.toLowerCase());
    expect(answer).toContain('ASHLAR_LB_UPSTREAM');
    expect(answer).not.toMatch(/replica-7|127\.0\.0\.1/);
  });
});
