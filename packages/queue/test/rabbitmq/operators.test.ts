import { randomUUID } from 'node:crypto';
import { type RabbitServer, startRabbit } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { type Channel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rabbitmq } from '../../src/adapters/rabbitmq.ts';
import type { Driver } from '../../src/index.ts';

describeWith('rabbitmq', 'RabbitMQ, when operators tidy up', () => {
  let server: RabbitServer;
  beforeAll(async () => {
    server = await startRabbit();
  }, 120_000);
  afterAll(() => server?.stop());

  const admin = async (work: (channel: Channel) => Promise<unknown>): Promise<void> => {
    const connection = await connect(server.url);
    try {
      await work(await connection.createChannel());
    } finally {
      await connection.close();
    }
  };
  const message = (id: string, delayMs: number) => ({ id, body: Buffer.from(id), headers: {}, delayMs });
  /** The ids that come, the first delivery of each given back by a pause. */
  const taken = async (driver: Driver, count: number, pauseMs = 0): Promise<readonly string[]> => {
    const stop = new AbortController();
    const ids: string[] = [];
    for await (const each of driver.consume('topic', 'group', { prefetch: 10, signal: stop.signal })) {
      if (pauseMs > 0 && each.deliveries === 1) await each.nack({ requeueAfterMs: pauseMs });
      else await each.ack();
      ids.push(each.id);
      if (ids.length === count) break;
    }
    return ids.sort();
  };

  it('delays by a queue that was deleted, and says of no group that it is gone', async () => {
    const prefix = randomUUID();
    await using driver = rabbitmq({ url: server.url, prefix });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('a', 1)]);
    expect(await taken(driver, 2, 1)).toEqual(['a', 'a']);
    // Those of publishers and those of what has failed
    const unused = async (channel: Channel) => {
      for (const target of [`${prefix}:topic:`, `${prefix}:topic:group`]) {
        const { messageCount } = await channel.deleteQueue(`${target}:delay:100`);
        expect(messageCount).toBe(0);
      }
    };
    await admin(unused);
    expect(await driver.publish('topic', [message('b', 1)])).toEqual([{ ok: true }]);
    expect(await taken(driver, 2, 1)).toEqual(['b', 'b']);
    await admin(unused);
    expect(await driver.publish('topic', [message('c', 1)], { allowUnrouted: true })).toEqual([{ ok: true }]);
    expect(await taken(driver, 2, 1)).toEqual(['c', 'c']);
  }, 60_000);
});
