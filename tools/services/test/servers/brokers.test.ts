import amqp from 'amqplib';
import { expect, it } from 'vitest';
import { exchange, startNats, startRabbit } from '../../src/index.ts';
import { isAlive, processTree } from '../../src/processes/processes.ts';
import { describeWith } from '../../src/tests/vitest.ts';
import { closing } from '../support.ts';

describeWith({ own: 'nats' }, 'NATS', () => {
  it('delivers, and keeps a stream over a kill', async () => {
    const nats = closing(await startNats({ own: true }));
    const request = (subject: string, body: string) =>
      exchange(
        nats.port,
        `CONNECT {"verbose":false}\r\nSUB _reply 1\r\nPUB ${subject} _reply ${body.length}\r\n${body}\r\n`,
        reply => /MSG _reply 1 +\d+\r\n.*\r\n/.test(reply),
      );
    await request(
      '$JS.API.STREAM.CREATE.events',
      '{"name":"events","subjects":["event.*"],"storage":"file"}',
    );
    expect(await request('event.a', 'hello')).toContain('"stream":"events"');
    const { pid } = nats;
    await nats.kill();
    expect(isAlive(pid)).toBe(false);
    await nats.restart();
    expect(await request('$JS.API.STREAM.INFO.events', '')).toContain('"messages":1');
  });
});

describeWith({ own: 'rabbitmq' }, 'RabbitMQ', () => {
  it('delivers, keeps a durable queue over a kill, and leaves nothing behind', async () => {
    const rabbit = closing(await startRabbit({ own: true }));
    const consumed = await withChannel(rabbit.url, async channel => {
      await channel.assertQueue('kept', { durable: true });
      channel.sendToQueue('kept', Buffer.from('hello'), { persistent: true });
      await channel.waitForConfirms();
      return (await channel.get('kept')) || undefined;
    });
    expect(consumed?.content.toString()).toBe('hello');

    await rabbit.persist();
    const tree = processTree(rabbit.pid);
    await rabbit.kill();
    expect(tree.filter(isAlive)).toEqual([]);
    await rabbit.restart();
    const again = await withChannel(rabbit.url, async channel => (await channel.get('kept')) || undefined);
    expect(again?.fields.redelivered).toBe(true);
    const last = processTree(rabbit.pid);
    await rabbit.stop();
    expect(last.filter(isAlive)).toEqual([]);
  });
});

async function withChannel<T>(url: string, use: (channel: amqp.ConfirmChannel) => Promise<T>): Promise<T> {
  const connection = await amqp.connect(url);
  try {
    return await use(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}
