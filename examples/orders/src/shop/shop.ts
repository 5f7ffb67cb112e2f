import express, { type Express } from 'express';
import type { Order } from '../messages.ts';

/** What the shop does with an order that it takes. */
export interface Orders {
  take(order: Order): Promise<void> | void;
  readonly orders: ReadonlyMap<string, Order>;
}

/** `POST /orders` answers when the order is taken, not when it is charged. */
export function shop(outbox: Orders, isCharged: (id: string) => boolean): Express {
  const app = express().use(express.json());
  app.post('/orders', async (request, response) => {
    const { id, customer, cents } = (request.body ?? {}) as Partial<Order>;
    if (typeof id !== 'string' || typeof customer !== 'string' || !Number.isSafeInteger(cents)) {
      response.status(400).json({ error: 'an order has `id`, `customer` and `cents`' });
      return;
    }
    // The same request again, as a client sends it that got no answer, is the same order
    if (!outbox.orders.has(id)) await outbox.take({ id, customer, cents: cents! });
    response.status(202).json({ id });
  });
  app.get('/orders/:id', ({ params: { id } }, response) => {
    if (outbox.orders.has(id)) response.json({ id, charged: isCharged(id) });
    else response.status(404).json({ error: `there is no order ${id}` });
  });
  return app;
}
