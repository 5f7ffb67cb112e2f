import { Backoff, sleep } from '@ashlar/core';
import type { Capabilities, Queue } from '@ashlar/queue';
import type { Messages, Order } from '../messages.ts';

const batchSize = 100;

/**
 * The orders of the shop and the events that are not yet published, in one memory: `take` writes both in one turn of the
 * event loop, so that there is never one without the other. A relay publishes the events until the backend has confirmed
 * them; one that is published twice, after a confirmation that was lost, is one message by its id.
 */
export class Outbox<K extends Capabilities> implements AsyncDisposable {
  readonly orders: Map<string, Order> = new Map();
  readonly #unsent: Map<string, Order> = new Map();
  readonly #queue: Queue<Messages, K>;
  readonly #stop = new AbortController();
  readonly #relaying: Promise<void>;
  #wake: () => void = () => {};

  constructor(queue: Queue<Messages, K>) {
    this.#queue = queue;
    this.#relaying = this.#relay();
  }

  get unsent(): number {
    return this.#unsent.size;
  }

  take(order: Order): void {
    this.orders.set(order.id, order);
    this.#unsent.set(order.id, order);
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#relaying;
  }

  async #relay(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff({ firstMs: 50, maxMs: 1_000 }, Math.random);
    while (!signal.aborted) {
      const batch = [...this.#unsent.values()].slice(0, batchSize);
      if (batch.length === 0) {
        await new Promise<void>(resolve => {
          this.#wake = resolve;
          if (signal.aborted) resolve();
        });
        continue;
      }
      const published = await this.#queue.publishMany('order.placed', batch, ({ id, customer }) => {
        return { id, key: customer };
      });
      for (const [index, { ok }] of published.entries()) if (ok) this.#unsent.delete(batch[index]!.id);
      if (published.every(({ ok }) => ok)) backoff.reset();
      else await sleep(backoff.nextMs(), signal).catch(() => {});
    }
  }
}
