import { sleep } from '@ashlar/core';
import express, { type Express } from 'express';
import type { Order } from '../messages.ts';

/** A payment service as there are many: a charge with an idempotency key that it knows is no other charge. */
export class Payments {
  /** The charges of each order; more than one is a customer who pays twice. */
  readonly charges: Map<string, number> = new Map();
  /** Calls whose key was known. */
  repeated = 0;
  readonly #known = new Set<string>();
  readonly #answerMs: number;
  /** Called between a charge and its answer: whoever dies now does not know of it. */
  onCharge: () => void = () => {};

  constructor(answerMs: number) {
    this.#answerMs = answerMs;
  }

  get doubled(): number {
    return [...this.charges.values()].filter(count => count > 1).length;
  }

  charge(key: string, order: string): void {
    if (this.#known.has(key)) {
      this.repeated++;
      return;
    }
    this.#known.add(key);
    this.charges.set(order, (this.charges.get(order) ?? 0) + 1);
    this.onCharge();
  }

  get app(): Express {
    const app = express().use(express.json());
    app.post('/charges', async (request, response) => {
      const key = request.get('idempotency-key');
      const { id } = (request.body ?? {}) as Partial<Order>;
      if (key === undefined || typeof id !== 'string') {
        response.status(400).json({ error: 'a charge has an `idempotency-key` and an `id`' });
        return;
      }
      this.charge(key, id);
      await sleep(this.#answerMs);
      response.status(201).json({ id });
    });
    return app;
  }
}
