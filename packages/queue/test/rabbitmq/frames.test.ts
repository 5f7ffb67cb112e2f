import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import { eventually, type RabbitServer, startRabbit } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { type AmqpCounter, startAmqpCounter } from '../../bench/amqp-counter.ts';
import { rabbitmq } from '../../src/adapters/rabbitmq.ts';
import { messages, Queue } from '../../src/index.ts';

const count = 100;
const text = 'hello';
/** Connects, declares, looks whether its queue is there, closes: what does not grow with the messages. */
const toBegin = count / 2;
const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 45_000 });

describeWith({ own: 'rabbitmq' }, 'frames that are sent to RabbitMQ for a message', () => {
  let server: RabbitServer;
  let counter: AmqpCounter;
  beforeAll(async () => {
    server = await startRabbit({ own: true });
    counter = await startAmqpCounter(server.port);
  }, 120_000);
  afterAll(async () => {
    await counter?.[Symbol.asyncDispose]();
    await server?.stop();
  });
  const url = () => `amqp://guest:guest@127.0.0.1:${counter.port}`;
  const message = (id: string) => ({ id, body: Buffer.from(id), headers: {} });

  async function framesOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
    counter.take();
    await work();
    const { heartbeat: _, ...frames } = Object.fromEntries(counter.take().frames);
    return frames;
  }

  /** The client library alone: persistent, routed surely, confirmed, acknowledged one by one. */
  async function alone() {
    const connection = await connect(url());
    onTestFinished(() => connection.close());
    const channel = await connection.createConfirmChannel();
    const name = randomUUID();
    await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    const published = await framesOf(async () => {
      for (let n = 0; n < count; n++) {
        channel.publish('', name, Buffer.from(text), { persistent: true, mandatory: true });
        await channel.waitForConfirms();
      }
    });
    let handled = 0;
    const consumed = await framesOf(async () => {
      await channel.prefetch(5);
      await channel.consume(name, message => {
        channel.ack(message!);
        handled++;
      });
      await soon(async () => expect(handled).toBe(count));
      await channel.close(); // Which goes behind the acknowledgements
    });
    return { published, consumed };
  }

  it('none is added to those of amqplib', async () => {
    const theirs = await alone();
    const driver = rabbitmq({ url: url(), prefix: randomUUID() });
    const queue = new Queue(driver, { messages: messages<{ work: string }>() });
    onTestFinished(() => queue.close());
    await queue.declare('work');
    await queue.publish('work', text);
    const published = await framesOf(async () => {
      for (let n = 0; n < count; n++) await queue.publish('work', text);
    });
    expect(published).toEqual(theirs.published);
    const consumed = await framesOf(async () => {
      const subscription = await queue.subscribe('work', () => {}, { concurrency: 5 });
      await soon(async () => expect(subscription.snapshot().handled).toBe(count + 1));
      await queue.close();
    });
    const { 'basic.ack': acks, ...others } = consumed;
    expect(theirs.consumed['basic.ack']).toBe(count);
    expect(acks).toBeLessThanOrEqual(count + 1);
    expect(Object.values(others).reduce((sum, each) => sum + each, 0)).toBeLessThan(toBegin);
  });

  it('sends what is published together with few system calls', async () => {
    await using driver = rabbitmq({ url: server.url, prefix: randomUUID() });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('first')]);
    const alone = vi.spyOn(Socket.prototype, '_write');
    const together = vi.spyOn(Socket.prototype as Required<Socket>, '_writev');
    onTestFinished(() => void vi.restoreAllMocks());
    const isOurs = (socket: unknown) => (socket as Socket).remotePort === server.port;
    const batch = Array.from({ length: 500 }, (_, n) => message(`${n}`));
    expect((await driver.publish('topic', batch)).every(({ ok }) => ok)).toBe(true);
    const calls = [...alone.mock.contexts, ...together.mock.contexts].filter(isOurs).length;
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThan(50);
  });
});
