import { expect, expectTypeOf, it } from 'vitest';
import {
  type Capabilities,
  type Delivery,
  type Driver,
  messages,
  type Published,
  Queue,
} from '../src/index.ts';

type Messages = { 'order.placed': { id: string } };

/** A driver as somebody else would write it, from the contract's words alone. */
class Mine implements Driver<Capabilities> {
  readonly capabilities = { delay: false, priority: false, fanout: false, durable: false, orderedKeys: true };
  async declare(): Promise<void> {}
  async publish(_topic: string, batch: readonly unknown[]): Promise<readonly Published[]> {
    return batch.map(() => ({ ok: true }));
  }
  async *consume(): AsyncIterable<Delivery> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

it('takes a driver that was written from the contract', async () => {
  const queue = new Queue(new Mine(), { messages: messages<Messages>() });
  expect(await queue.publish('order.placed', { id: '1' })).toEqual({ id: expect.any(String) });
  const handler = async (
    order: { id: string },
    { signal, idempotencyKey }: { signal: AbortSignal; idempotencyKey: string },
  ) => {
    expectTypeOf(order.id).toBeString();
    expect([signal, idempotencyKey]).toBeDefined();
  };
  const subscription = await queue.subscribe('order.placed', handler, { group: 'billing', attempts: 5 });
  await subscription.close();
  await queue.close();
});

it('infers what may be asked of a driver', () => {
  type Bull = { delay: true; priority: true; fanout: true; durable: true; orderedKeys: false };
  type Zmq = { delay: false; priority: false; fanout: true; durable: false; orderedKeys: false };
  type Options<K extends Capabilities> = NonNullable<Parameters<Queue<Messages, K>['publish']>[2]>;
  expectTypeOf<{ priority: 3; delayMs: 10 }>().toExtend<Options<Bull>>();
  expectTypeOf<Options<Zmq>>().not.toHaveProperty('priority');
  expectTypeOf<Options<Zmq>>().not.toHaveProperty('deduplication');
  expectTypeOf<Parameters<Queue<Messages, Bull>['publish']>[0]>().toEqualTypeOf<'order.placed'>();
});
