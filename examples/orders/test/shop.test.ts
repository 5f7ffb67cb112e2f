import { memoryDriver, Queue } from '@ashlar/queue';
import { faulty } from '@ashlar/queue/testing';
import { UsageError } from '@workspace/program';
import { describe, expect, it, onTestFinished } from 'vitest';
import { help, readOptions } from '../src/cli/options.ts';
import { orderMessages } from '../src/messages.ts';
import { listening } from '../src/shop/listening.ts';
import { Outbox } from '../src/shop/outbox.ts';
import { Payments } from '../src/shop/payments.ts';
import { shop } from '../src/shop/shop.ts';

const order = (n: number) => ({ id: `order-${n}`, customer: 'ada', cents: 100 });

describe('the outbox', () => {
  it('publishes each event once, whatever becomes of the publishing', async () => {
    const driver = faulty(memoryDriver(), { seed: 3, refusePublish: 0.3, loseReply: 0.3 });
    await using queue = new Queue(driver, { messages: orderMessages });
    const seen: string[] = [];
    await queue.subscribe('order.placed', ({ id }) => void seen.push(id), { concurrency: 1 });
    await using outbox = new Outbox(queue);
    for (let n = 0; n < 100; n++) outbox.take(order(n));
    await expect.poll(() => outbox.unsent, { timeout: 20_000 }).toBe(0);
    await expect.poll(() => seen.length).toBe(100);
    expect(new Set(seen).size).toBe(100);
    expect(driver.injected.loseReply).toBeGreaterThan(0);
  });
});

describe('the payment service', () => {
  it('knows a repeated key, and tells a customer who pays twice', () => {
    const payments = new Payments(0);
    payments.charge('key 1', 'order-1');
    payments.charge('key 1', 'order-1');
    expect(payments).toMatchObject({ repeated: 1, doubled: 0 });
    payments.charge('key 2', 'order-1');
    expect(payments.doubled).toBe(1);
  });
});

describe('the shop', () => {
  it('takes an order once, and says what it does not take', async () => {
    const orders = new Map();
    const taken: string[] = [];
    const take = (one: { id: string }) => {
      orders.set(one.id, one);
      taken.push(one.id);
    };
    const server = await listening(shop({ orders, take }, () => false));
    onTestFinished(() => server[Symbol.asyncDispose]());
    const post = (body: object) =>
      fetch(`${server.url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).then(({ status }) => status);
    expect([await post(order(1)), await post(order(1)), await post({ id: 'x' })]).toEqual([202, 202, 400]);
    expect(taken).toEqual(['order-1']);
    expect(await (await fetch(`${server.url}/orders/order-1`)).json()).toEqual({
      id: 'order-1',
      charged: false,
    });
    expect((await fetch(`${server.url}/orders/none`)).status).toBe(404);
  });
});

describe('the options', () => {
  it('have defaults', () => {
    expect(readOptions([])).toEqual({
      ...{
        driver: 'memory',
        url: undefined,
        outboxUrl: undefined,
        orders: 300,
        perSecond: 60,
        killEveryMs: 800,
        json: false,
      },
    });
    expect(readOptions(['--driver', 'redis'])).toMatchObject({ url: 'redis://127.0.0.1:6379' });
    expect(readOptions(['--driver', 'postgres'])).toMatchObject({ url: expect.stringMatching(/^postgres:/) });
    expect(readOptions(['--driver', 'rabbitmq'])).toMatchObject({ url: 'amqp://127.0.0.1:5672' });
    expect(readOptions(['--help'])).toBeUndefined();
    expect(help()).toContain('--kill-every-ms');
  });

  it.each([
    ['--driver kafka', '--driver must be one of memory, redis, bullmq, postgres, rabbitmq, nats, zeromq'],
    ['--url redis://h', '--url is for a driver with a server, and memory needs none'],
    ['--driver postgres --url http://h', '--url must be a URL that begins with postgres:// or postgresql://'],
    ['--driver rabbitmq --url http://h', '--url must be a URL that begins with amqp:// or amqps://'],
    ['--driver redis --url http://h', '--url must be a URL that begins with redis://'],
    ['--orders 0', '--orders must be an integer from 1'],
  ])('refuse %s', (line, said) => {
    const read = () => readOptions(line.split(' '));
    expect(read).toThrow(UsageError);
    expect(read).toThrow(said);
  });
});
