import { createServer } from 'node:http';
import express from 'express';
import fastify from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { front } from '../../support/front.ts';
import { listening } from '../../support/servers/listening.ts';
import { Replica } from '../../support/servers/replica.ts';

const body = JSON.stringify({ product: 42 });
const post = { method: 'POST', body, headers: { 'content-type': 'application/json' } };

describe('the proxy', () => {
  it('is a handler of Express', async () => {
    const { proxy } = await front(await Replica.all('a'));
    const app = express();
    app.get('/health', (_, response) => void response.send('fine'));
    app.use('/shop', proxy);
    const { url } = await listening(createServer(app));
    const response = await fetch(`${url}/shop/cart?x=1`, post);
    expect(await response.json()).toMatchObject({ id: 'a', url: '/cart?x=1', bytes: body.length });
    expect(response.headers.get('x-powered-by')).toBe('Express');
    expect(await (await fetch(`${url}/health`)).text()).toBe('fine');
  });

  it('gets the path without the mount in Express; `prefix` restores it', async () => {
    const { proxy } = await front(await Replica.all('a'), { prefix: '/shop' });
    const { url } = await listening(createServer(express().use('/shop', proxy)));
    expect(await (await fetch(`${url}/shop/cart`)).json()).toMatchObject({ url: '/shop/cart' });
  });

  it.each([
    [{}, '/shop/cart?x=1'],
    [{ strip: '/shop' }, '/cart?x=1'],
  ])('is a handler of Fastify, which must leave the body alone: %o', async (options, received) => {
    const { proxy } = await front(await Replica.all('a'), options);
    const app = fastify();
    onTestFinished(() => app.close());
    app.register(async shop => {
      shop.removeAllContentTypeParsers();
      shop.addContentTypeParser('*', (_request, _payload, done) => done(null));
      shop.all('/shop/*', (request, reply) => {
        reply.hijack();
        return proxy(request.raw, reply.raw);
      });
    });
    app.post('/orders', async ({ body: order }) => order); // other routes have their bodies
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const headers = { 'content-type': 'application/json' };
    const ordered = await fetch(`${url}/orders`, { method: 'POST', headers, body: '{"id":1}' });
    expect(await ordered.json()).toEqual({ id: 1 });
    const response = await fetch(`${url}/shop/cart?x=1`, post);
    expect(await response.json()).toMatchObject({ id: 'a', url: received, bytes: body.length });
  });
});
