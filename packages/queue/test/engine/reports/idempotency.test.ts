import { memoryStore, type Store } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import {
  memoryDriver,
  messages,
  type OutgoingMessage,
  Queue,
  type SubscribeOptions,
} from '../../../src/index.ts';

/** What users of other libraries have reported of handlers that are to run once, tried here. */

type Messages = Record<'charge' | 'refund', unknown>;
type Context = { readonly id: string };

async function setUp() {
  const driver = memoryDriver();
  const queue = new Queue(driver, { messages: messages<Messages>() });
  onTestFinished(() => queue.close());
  const store: Store = memoryStore();
  const handled: unknown[] = [];
  const subscribe = (topic: keyof Messages, more: object = {}, returned: unknown = undefined) =>
    queue.subscribe(
      topic,
      (payload, { id }: Context) => {
        handled.push([id, payload]);
        return returned;
      },
      { idempotency: { store, key: () => 'order-1' }, ...more } as SubscribeOptions<
        (typeof driver)['capabilities']
      >,
    );
  const publish = async (topic: keyof Messages, id: string, text: string, type = 'application/json') => {
    const message: OutgoingMessage = { id, body: Buffer.from(text), headers: { 'content-type': type } };
    expect(await driver.publish(topic, [message])).toEqual([{ ok: true }]);
    const isOver = async () => {
      const { waiting, delayed, active } = await queue.stats(topic);
      return waiting + delayed! + active!;
    };
    await expect.poll(isOver, { timeout: 20_000 }).toBe(0);
  };
  const dead = async (topic: keyof Messages) => {
    const ids: string[] = [];
    for await (const { id } of queue.dead(topic)) ids.push(id);
    return ids;
  };
  return { queue, handled, subscribe, publish, dead };
}

it('a payload is the same in whatever order its names come, and in whatever way they are written (aws-powertools/powertools-lambda-python 638, aws-powertools/powertools-lambda-typescript 2120, mojaloop/project 2463)', async () => {
  const { handled, subscribe, publish, dead } = await setUp();
  await subscribe('charge');
  await publish('charge', '1', '{"cents":4200,"to":{"name":"ada","lines":[{"a":1,"b":2}]},"__proto__":1}');
  await publish('charge', '2', '{"__proto__":1,"to":{"lines":[{"b":2,"a":1}],"name":"ada"},"cents":4200}');
  await publish(
    'charge',
    '3',
    '{ "cents": 42e2, "to": { "lines": [{"b":2,"a":1}], "name": "\\u0061da" }, "__proto__": 1 }',
  );
  expect(handled).toHaveLength(1);
  expect(await dead('charge')).toEqual([]);
  // The order of a list is what it says, and so is every name
  await publish('charge', '4', '{"cents":4200,"to":{"name":"ada","lines":[{"a":2,"b":1}]},"__proto__":1}');
  await publish('charge', '5', '{"cents":4200,"to":{"name":"ada","lines":[{"a":1,"b":2}]}}');
  expect(await dead('charge')).toEqual(['4', '5']);
  expect(handled).toHaveLength(1);
});

it('bytes are the same byte for byte, though they look like JSON, and so is JSON that is nested too deep to be sorted', async () => {
  const { handled, subscribe, publish, dead } = await setUp();
  await subscribe('charge');
  await publish('charge', '1', '{"a":1,"b":2}', 'application/octet-stream');
  await publish('charge', '2', '{"b":2,"a":1}', 'application/octet-stream');
  expect(await dead('charge')).toEqual(['2']);
  await subscribe('refund');
  const deep = (text: string) => `${'['.repeat(6_000)}${text}${']'.repeat(6_000)}`;
  await publish('refund', '3', deep('1'));
  await publish('refund', '4', deep('1'));
  await publish('refund', '5', deep('2'));
  expect(await dead('refund')).toEqual(['5']);
  expect(handled).toHaveLength(2);
});

it.each([[undefined], [null], [0], [false], [''], [[]]])(
  'a handler that returns %j has run all the same (aws-powertools/powertools-lambda-python 8090, aws-powertools/powertools-lambda-typescript 2521)',
  async returned => {
    const { queue, handled, subscribe, publish } = await setUp();
    await subscribe('charge', { results: true }, returned);
    await publish('charge', '1', '{"cents":1}');
    await publish('charge', '2', '{"cents":1}');
    expect(handled).toHaveLength(1);
    for (const id of ['1', '2']) expect((await queue.find('charge', id))?.result).toEqual(returned);
  },
);

it('one key is another for each topic and group (aws-powertools/powertools-lambda-python 318, aws-powertools/powertools-lambda-python 855)', async () => {
  const { handled, subscribe, publish, dead } = await setUp();
  await subscribe('charge');
  await subscribe('charge', { group: 'audit' });
  await subscribe('refund');
  await publish('charge', '1', '{"cents":1}');
  await expect.poll(() => handled.length, { timeout: 20_000 }).toBe(2);
  await publish('refund', '2', '{"cents":2}');
  expect(handled).toHaveLength(3);
  expect([...(await dead('charge')), ...(await dead('refund'))]).toEqual([]);
});
