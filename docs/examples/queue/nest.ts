// #region program
import 'reflect-metadata';
import { type MemoryCapabilities, memoryDriver, messages, Queue } from '@ashlar/queue';
import {
  Body,
  Controller,
  Headers,
  HttpCode,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  Post,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';

type Messages = { 'order.placed': { product: string } };

@Injectable()
class OrderQueue extends Queue<Messages, MemoryCapabilities> implements OnApplicationShutdown {
  constructor() {
    super(memoryDriver(), { messages: messages<Messages>(), name: 'shop' }); // later: redisStreams({ redis })
  }

  /** Nest calls it after the requests in flight; handlers that run end first. */
  onApplicationShutdown() {
    return this.close();
  }
}

@Injectable()
class Billing implements OnApplicationBootstrap {
  readonly #queue: OrderQueue;

  constructor(@Inject(OrderQueue) queue: OrderQueue) {
    this.#queue = queue;
  }

  async onApplicationBootstrap() {
    await this.#queue.subscribe('order.placed', order => this.bill(order), { group: 'billing' });
  }

  bill({ product }: { product: string }) {
    console.log(`billing ${product}`); // billing lamp
  }
}

@Controller('orders')
class Orders {
  readonly #queue: OrderQueue;

  constructor(@Inject(OrderQueue) queue: OrderQueue) {
    this.#queue = queue;
  }

  @Post()
  @HttpCode(202)
  place(@Body() { product }: { product: string }, @Headers('idempotency-key') key = crypto.randomUUID()) {
    // A client that got no answer sends its key again: then it is the same message
    return this.#queue.publish('order.placed', { product }, { id: `order-${key}` });
  }
}

@Module({ controllers: [Orders], providers: [OrderQueue, Billing] })
class Shop {}

const app = await NestFactory.create(Shop, { logger: false });
app.use((_request: Request, response: Response, next: NextFunction) => {
  // A client that keeps its connection would hold up the shutdown
  if (!app.getHttpServer().listening) response.set('connection', 'close');
  next();
});
app.enableShutdownHooks(); // SIGTERM
await app.listen(0); // your port
// #endregion program

const origin = (await app.getUrl()).replace('[::1]', 'localhost');
const order = () =>
  fetch(`${origin}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': '7' },
    body: '{"product":"lamp"}',
  });
const first = await order();
console.log(first.status, await first.text()); // 202 {"id":"order-7"}
console.log(await (await order()).text()); // {"id":"order-7","isDuplicate":true}
await app.close();
console.log(app.get(OrderQueue).snapshot().state); // closed
