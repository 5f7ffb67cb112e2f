import 'reflect-metadata';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ArgumentsHost, Catch, Controller, Get, Module, Post, Req } from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost, NestFactory } from '@nestjs/core';
import express, { type NextFunction, type Request, type Response } from 'express';
import Fastify from 'fastify';
import { currentSession, PositionLostError } from '../../src/index.ts';
import type { SessionCookie } from '../../src/sessions/cookie.ts';

/** What the shop does with its database, in whatever framework. */
export interface Shop {
  put(key: string, value: string): Promise<void>;
  get(key: string): Promise<string | undefined>;
}

export interface Served extends AsyncDisposable {
  readonly origin: string;
}

interface Item {
  readonly key: string;
  readonly value: string;
}

/** Writes, goes on in another turn of the loop, and reads. */
async function save(shop: Shop, { key, value }: Item): Promise<{ value: string | undefined }> {
  await shop.put(key, value);
  await sleep(1);
  await new Promise(resolve => setImmediate(resolve));
  return { value: await shop.get(key) };
}

/** Begins anew, as the user is told. */
function begin(error: PositionLostError): { error: string } {
  currentSession()?.reset(error.set);
  return { error: 'what you saved last is lost' };
}

export const frameworks: Readonly<Record<string, (shop: Shop, cookie: SessionCookie) => Promise<Served>>> = {
  async express(shop, cookie) {
    const app = express();
    app.use(cookie.handle);
    app.post('/item', express.json(), (request, response, next) => {
      save(shop, request.body).then(saved => response.json(saved), next);
    });
    app.get('/item/:key', (request, response, next) => {
      shop.get(request.params.key).then(value => response.json({ value }), next);
    });
    app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
      if (error instanceof PositionLostError) response.status(409).json(begin(error));
      else next(error);
    });
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    };
  },

  async fastify(shop, cookie) {
    const app = Fastify();
    app.addHook('onRequest', (request, reply, done) => cookie.handle(request.raw, reply.raw, done));
    app.post('/item', async request => save(shop, request.body as Item));
    app.get('/item/:key', async (request, reply) => {
      reply.header('set-cookie', 'other=1');
      return { value: await shop.get((request.params as { key: string }).key) };
    });
    app.setErrorHandler((error, _request, reply) => {
      if (error instanceof PositionLostError) return reply.code(409).send(begin(error));
      throw error;
    });
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    return { origin, [Symbol.asyncDispose]: () => app.close() };
  },

  async nest(shop, cookie) {
    class Items {
      save(request: Request) {
        return save(shop, request.body);
      }

      async item(request: Request) {
        return { value: await shop.get(String(request.params['key'])) };
      }
    }
    decorate(Items, [Controller('item')], { save: [Post(), Req()], item: [Get(':key'), Req()] });

    class Lost extends BaseExceptionFilter {
      override catch(error: PositionLostError, host: ArgumentsHost) {
        host.switchToHttp().getResponse<Response>().status(409).json(begin(error));
      }
    }
    decorate(Lost, [Catch(PositionLostError)]);

    class App {}
    decorate(App, [Module({ controllers: [Items] })]);

    const app = await NestFactory.create(App, { logger: false });
    app.use(cookie.handle);
    app.useGlobalFilters(new Lost(app.get(HttpAdapterHost).httpAdapter));
    await app.listen(0, '127.0.0.1');
    return { origin: await app.getUrl(), [Symbol.asyncDispose]: () => app.close() };
  },
};

/** What `@` does, as these tests are compiled without decorators: of the class, and of a method and its first parameter. */
function decorate(
  target: new (...parameters: never[]) => object,
  ofClass: readonly ClassDecorator[],
  methods: Readonly<Record<string, readonly [MethodDecorator, ParameterDecorator]>> = {},
): void {
  for (const each of ofClass) each(target);
  for (const [name, [ofMethod, ofParameter]] of Object.entries(methods)) {
    ofParameter(target.prototype, name, 0);
    ofMethod(target.prototype, name, Object.getOwnPropertyDescriptor(target.prototype, name)!);
  }
}
